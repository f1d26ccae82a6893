/* SPDX-License-Identifier: MIT */
/* tranche start: a device that is defined, or one for now. */
#include <errno.h>
#include <stdio.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'u', "uuid", "UUID", "which device; with --type: the UUID of the new one" },
	{ 'p', "parent", "PARENT", "of which parent" },
	{ 't', "type", "TYPE", "a device that is not defined, of this type" },
	{ CTL_JSONFILE, "jsonfile", "FILE", "the same, type and attributes from a file" },
	{ CTL_MEMORY, "memory", "SIZE", "its memory, such as 512M or 1.5G" },
	{ CTL_TIME, "time", "PERCENT", "what share of the host device's time it is to have" },
	{ CTL_OWNER, "owner", "USER", "who may use, change and stop it" },
	{ CTL_VM, "vm", "NAME", "the virtual machine that it is for; a note" },
	{ 'o', "option", "KEY=VALUE", "an option of the parent's driver" },
	{ 0 },
};

static int print_started(struct ctl *c, json_t *device, bool was_named)
{
	if (ctl_has(c, CTL_JSON))
		return ctl_print_json(c, device);
	if (was_named)
		return 0;
	puts(ctl_text_of(device, "uuid"));
	return ctl_flush(c);
}

static int start_defined(struct ctl *c)
{
	static const int others[] = { CTL_MEMORY, CTL_TIME, CTL_OWNER, CTL_VM, 'o' };
	char uuid[CTL_UUID_TEXT];
	json_t *device = NULL;
	int r;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ctl_has(c, others[i]))
			return ctl_usage(c, "what a device is like is said with its --type, or by \"tranche modify\"");
	r = ctl_given_uuid(c, CTL_DEFINITIONS, uuid);
	if (r == 0)
		r = ctl_check_parent(c, "definitions", uuid);
	if (r == 0)
		r = ctl_post(c, api_path("/v1/definitions/", uuid, "/start", NULL), NULL, &device);
	if (r == -ENOENT)
		trn_error_hint(&c->err, "to start a device that is not defined, give its --parent and --type");
	if (r == 0)
		r = print_started(c, device, true);
	json_decref(device);
	return r;
}

static int make_body(struct ctl *c, json_t **ret)
{
	int r = 0;

	if (ctl_has(c, CTL_JSONFILE)) {
		if (ctl_has(c, 't'))
			return ctl_usage(c, "--type and --jsonfile exclude each other");
		r = ctl_read_jsonfile(c, ctl_value(c, CTL_JSONFILE), ret);
		json_object_del(*ret, "start");
		json_object_del(*ret, "uuid");
	} else {
		*ret = json_pack("{s:s}", "type", ctl_value(c, 't'));
	}
	if (r == 0 && ctl_has(c, 'p'))
		json_object_set_new(*ret, "parent", json_string(ctl_value(c, 'p')));
	return r ? r : ctl_take_fields(c, *ret, false);
}

static int start_new(struct ctl *c)
{
	bool is_named = ctl_has(c, 'u') || c->nr_words;
	json_t *body = NULL, *device = NULL;
	char uuid[CTL_UUID_TEXT];
	int r = is_named ? ctl_given_whole_uuid(c, uuid) : 0;

	if (r == 0)
		r = make_body(c, &body);
	if (r == 0 && is_named)
		json_object_set_new(body, "uuid", json_string(uuid));
	if (r == 0)
		r = ctl_post(c, api_path("/v1/devices", NULL), body, &device);
	if (r == 0)
		r = print_started(c, device, is_named);
	json_decref(device);
	json_decref(body);
	return r;
}

static int verb_start(struct ctl *c)
{
	return ctl_has(c, 't') || ctl_has(c, CTL_JSONFILE) ? start_new(c) : start_defined(c);
}

const struct ctl_verb ctl_verb_start = {
	.name = "start",
	.words = "[UUID]",
	.summary = "start a device that is defined, or one for now",
	.more = "With --type or --jsonfile: a device that is gone when it is stopped; its UUID is printed when none is given.",
	.options = options,
	.most_words = 1,
	.completes = "definitions",
	.run = verb_start,
};
