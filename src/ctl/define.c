/* SPDX-License-Identifier: MIT */
/* tranche define and undefine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option define_options[] = {
	{ 'u', "uuid", "UUID", "its UUID (default: a new one, which is printed)" },
	{ 'p', "parent", "PARENT", "of which parent" },
	{ 't', "type", "TYPE", "of which type" },
	{ 'a', "auto", NULL, "start it whenever its parent is there" },
	{ CTL_JSONFILE, "jsonfile", "FILE", "type, start and attributes, as mdevctl or \"tranche show --json\" writes them" },
	{ CTL_MEMORY, "memory", "SIZE", "its memory, such as 512M or 1.5G" },
	{ CTL_TIME, "time", "PERCENT", "what share of the host device's time it is to have" },
	{ CTL_OWNER, "owner", "USER", "who may use, change and stop it" },
	{ CTL_VM, "vm", "NAME", "the virtual machine that it is for; a note" },
	{ 'o', "option", "KEY=VALUE", "an option of the parent's driver" },
	{ 0 },
};

/* Copies what a definition has from another object. */
static void copy_fields(json_t *from, json_t *body)
{
	static const char *const keys[] = { "parent", "type", "start", "memory", "time", "owner", "vm", "attrs", "options" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(from, keys[i]);

		if (value && !json_is_null(value))
			json_object_set(body, keys[i], value);
	}
}

static int take_file(struct ctl *c, json_t *body)
{
	json_t *o;
	int r;

	if (ctl_has(c, 't'))
		return ctl_usage(c, "--type and --jsonfile exclude each other");
	r = ctl_read_jsonfile(c, ctl_value(c, CTL_JSONFILE), &o);
	if (r < 0)
		return r;
	json_object_update(body, o);
	json_decref(o);
	return 0;
}

/* As mdevctl: a UUID alone is a device that runs. */
static int take_running(struct ctl *c, json_t *body, const char *uuid)
{
	json_t *device;
	int r = ctl_get(c, api_path("/v1/devices/", uuid, NULL), &device);

	if (r < 0)
		return trn_error_hint(&c->err, "give --parent and --type to define a device that does not run");
	copy_fields(device, body);
	json_decref(device);
	return 0;
}

static int take_place(struct ctl *c, json_t *body, const char *uuid)
{
	int r = 0;

	if (ctl_has(c, CTL_JSONFILE))
		r = take_file(c, body);
	else if (!ctl_has(c, 't') && !ctl_has(c, 'p') && uuid)
		r = take_running(c, body, uuid);
	if (r)
		return r;
	if (ctl_has(c, 'p'))
		json_object_set_new(body, "parent", json_string(ctl_value(c, 'p')));
	if (ctl_has(c, 't'))
		json_object_set_new(body, "type", json_string(ctl_value(c, 't')));
	if (uuid)
		json_object_set_new(body, "uuid", json_string(uuid));
	if (ctl_has(c, 'a'))
		json_object_set_new(body, "start", json_string("auto"));
	if (!json_object_get(body, "parent"))
		return ctl_usage(c, "--parent is missing");
	return json_object_get(body, "type") ? 0 : ctl_usage(c, "--type is missing");
}

static int print_made(struct ctl *c, json_t *made, bool was_named)
{
	if (ctl_has(c, CTL_JSON))
		return ctl_print_json(c, made);
	if (was_named)
		return 0;
	puts(ctl_text_of(made, "uuid"));
	return ctl_flush(c);
}

static int verb_define(struct ctl *c)
{
	json_t *body = json_object(), *made = NULL;
	char uuid[CTL_UUID_TEXT];
	bool is_named = ctl_has(c, 'u') || c->nr_words;
	int r = is_named ? ctl_given_whole_uuid(c, uuid) : 0;

	if (r == 0)
		r = take_place(c, body, is_named ? uuid : NULL);
	if (r == 0)
		r = ctl_take_fields(c, body, false);
	if (r == 0)
		r = ctl_post(c, api_path("/v1/definitions", NULL), body, &made);
	if (r == 0)
		r = print_made(c, made, is_named);
	json_decref(made);
	json_decref(body);
	return r;
}

const struct ctl_verb ctl_verb_define = {
	.name = "define",
	.words = "[UUID]",
	.summary = "define a device, which stays over a reboot",
	.options = define_options,
	.most_words = 1,
	.run = verb_define,
};

static const struct ctl_option undefine_options[] = {
	{ 'u', "uuid", "UUID", "which device" },
	{ 'p', "parent", "PARENT", "only if it is of this parent" },
	{ 0 },
};

int ctl_check_parent(struct ctl *c, const char *kind, const char *uuid)
{
	const char *parent = ctl_value(c, 'p');
	json_t *o;
	int r;

	if (!parent)
		return 0;
	r = ctl_get(c, api_path("/v1/", kind, "/", uuid, NULL), &o);
	if (r < 0)
		return r;
	if (strcmp(ctl_text_of(o, "parent"), parent))
		r = trn_error_set(&c->err, -ENOENT, "OtherParent", "device %s is of parent %.60s, not of %.60s", uuid,
				  ctl_text_of(o, "parent"), parent);
	json_decref(o);
	return r;
}

static int verb_undefine(struct ctl *c)
{
	char uuid[CTL_UUID_TEXT];
	int r = ctl_given_whole_uuid(c, uuid);

	if (r == 0)
		r = ctl_check_parent(c, "definitions", uuid);
	return r ? r : ctl_delete(c, api_path("/v1/definitions/", uuid, NULL));
}

const struct ctl_verb ctl_verb_undefine = {
	.name = "undefine",
	.words = "[UUID]",
	.summary = "forget a definition; a running device goes on",
	.options = undefine_options,
	.most_words = 1,
	.completes = "definitions",
	.run = verb_undefine,
};
