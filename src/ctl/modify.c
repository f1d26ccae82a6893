/* SPDX-License-Identifier: MIT */
/* tranche modify: a definition, a running device, or both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'u', "uuid", "UUID", "which device" },
	{ 'p', "parent", "PARENT", "only if it is of this parent" },
	{ 't', "type", "TYPE", "its new type" },
	{ 'a', "auto", NULL, "start it whenever its parent is there" },
	{ 'm', "manual", NULL, "start it only when told to" },
	{ 'd', "defined", NULL, "change the definition (default)" },
	{ 'l', "live", NULL, "change the running device; with -d both" },
	{ CTL_MEMORY, "memory", "SIZE|none", "its memory; none: as the type says" },
	{ CTL_TIME, "time", "PERCENT|none", "its share of the host device's time" },
	{ CTL_OWNER, "owner", "USER|none", "who may use, change and stop it" },
	{ CTL_VM, "vm", "NAME|none", "the virtual machine that it is for" },
	{ 'o', "option", "KEY=VALUE", "an option of the parent's driver; all others stay" },
	{ CTL_ADDATTR, "addattr", "NAME", "add an attribute, with --value, at the end or at --index" },
	{ CTL_DELATTR, "delattr", NULL, "remove the last attribute, or that at --index" },
	{ CTL_VALUE, "value", "VALUE", "the attribute's value" },
	{ CTL_INDEX, "index", "N", "the attribute's place, from 0" },
	{ CTL_JSONFILE, "jsonfile", "FILE", "all of it anew, as for define" },
	{ 0 },
};

/* -1: at the end; -2: told what is wrong. */
static long take_index(struct ctl *c, size_t nr)
{
	const char *text = ctl_value(c, CTL_INDEX);
	char *end;
	long n;

	if (!text)
		return -1;
	n = strtol(text, &end, 10);
	if (end != text && !*end && n >= 0 && (size_t)n < nr)
		return n;
	ctl_usage(c, "--index wants the place of an attribute, 0 to %zu, not \"%.40s\"", nr ? nr - 1 : 0, text);
	return -2;
}

static int change_attributes(struct ctl *c, json_t *attrs)
{
	size_t nr = json_array_size(attrs);
	bool adds = ctl_has(c, CTL_ADDATTR);
	long at = take_index(c, nr + adds);

	if (at == -2)
		return CLI_USAGE;
	if (adds) {
		json_t *pair = json_pack("{s:s}", ctl_value(c, CTL_ADDATTR), ctl_value(c, CTL_VALUE));

		if (at < 0 ? json_array_append_new(attrs, pair) : json_array_insert_new(attrs, (size_t)at, pair))
			return ctl_no_memory(c);
		return 0;
	}
	if (nr == 0)
		return trn_error_set(&c->err, -ENOENT, "NoAttribute", "the definition has no attributes");
	json_array_remove(attrs, at < 0 ? nr - 1 : (size_t)at);
	return 0;
}

static int check_attributes(struct ctl *c)
{
	bool adds = ctl_has(c, CTL_ADDATTR), removes = ctl_has(c, CTL_DELATTR);

	if (adds && removes)
		return ctl_usage(c, "--addattr and --delattr exclude each other");
	if (adds != ctl_has(c, CTL_VALUE))
		return ctl_usage(c, adds ? "--addattr wants a --value" : "--value wants --addattr");
	if (ctl_has(c, CTL_INDEX) && !adds && !removes)
		return ctl_usage(c, "--index wants --addattr or --delattr");
	if (ctl_has(c, 'a') && ctl_has(c, 'm'))
		return ctl_usage(c, "--auto and --manual exclude each other");
	return 0;
}

/* Options given are added to those that there are: a definition's are replaced as a whole. */
static void keep_options(json_t *before, json_t *body)
{
	json_t *given = json_object_get(body, "options"), *all;

	if (!given)
		return;
	all = json_copy(json_object_get(before, "options"));
	if (!all)
		return;
	json_object_update(all, given);
	json_object_set_new(body, "options", all);
}

static int make_body(struct ctl *c, json_t *before, json_t *body)
{
	json_t *attrs;
	int r;

	if (ctl_has(c, 't'))
		json_object_set_new(body, "type", json_string(ctl_value(c, 't')));
	if (ctl_has(c, 'a') || ctl_has(c, 'm'))
		json_object_set_new(body, "start", json_string(ctl_has(c, 'a') ? "auto" : "manual"));
	r = ctl_take_fields(c, body, true);
	if (r)
		return r;
	keep_options(before, body);
	if (!ctl_has(c, CTL_ADDATTR) && !ctl_has(c, CTL_DELATTR))
		return 0;
	attrs = json_copy(json_object_get(before, "attrs"));
	if (!attrs)
		attrs = json_array();
	r = change_attributes(c, attrs);
	json_object_set_new(body, "attrs", attrs);
	return r;
}

static int start_body(struct ctl *c, json_t **ret)
{
	int r = 0;

	*ret = json_object();
	if (!ctl_has(c, CTL_JSONFILE))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	r = ctl_read_jsonfile(c, ctl_value(c, CTL_JSONFILE), ret);
	json_object_del(*ret, "uuid");
	json_object_del(*ret, "parent");
	return r;
}

static int finish(struct ctl *c, const char *kind, const char *uuid, json_t *body)
{
	json_t *after = NULL;
	int r;

	if (json_object_size(body) == 0)
		return ctl_usage(c, "nothing is to be changed");
	r = ctl_patch(c, api_path("/v1/", kind, "/", uuid, NULL), body, &after);
	if (r == 0 && ctl_has(c, CTL_JSON))
		r = ctl_print_json(c, after);
	json_decref(after);
	return r;
}

static int modify_defined(struct ctl *c, const char *uuid)
{
	json_t *before = NULL, *body = NULL;
	int r = ctl_get(c, api_path("/v1/definitions/", uuid, NULL), &before);

	if (r == 0)
		r = start_body(c, &body);
	if (r == 0)
		r = make_body(c, before, body);
	if (r == 0)
		r = finish(c, "definitions", uuid, body);
	json_decref(body);
	json_decref(before);
	return r;
}

/* Of a device that runs: what can be changed then, and of a file only that. */
static void keep_live(json_t *body)
{
	static const char *const dead[] = { "type", "start", "options", "owner", "vm" };

	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
		json_object_del(body, dead[i]);
}

static int modify_live(struct ctl *c, const char *uuid)
{
	json_t *body = NULL;
	int r;

	if (ctl_has(c, CTL_DELATTR))
		return ctl_usage(c, "an attribute of a running device can be set, not removed");
	if (!ctl_has(c, 'd') && (ctl_has(c, 't') || ctl_has(c, 'a') || ctl_has(c, 'm') || ctl_has(c, 'o') || ctl_has(c, CTL_OWNER) ||
				 ctl_has(c, CTL_VM)))
		return ctl_usage(c, "of a running device --memory, --time and attributes can be changed");
	r = start_body(c, &body);
	if (r == 0)
		r = make_body(c, NULL, body);
	if (r == 0) {
		keep_live(body);
		r = finish(c, "devices", uuid, body);
	}
	json_decref(body);
	return r;
}

static int verb_modify(struct ctl *c)
{
	bool is_live = ctl_has(c, 'l'), is_defined = ctl_has(c, 'd') || !is_live;
	char uuid[CTL_UUID_TEXT];
	int r = check_attributes(c);

	if (r == 0)
		r = ctl_given_uuid(c, is_defined ? CTL_DEFINITIONS : CTL_DEVICES, uuid);
	if (r == 0)
		r = ctl_check_parent(c, is_defined ? "definitions" : "devices", uuid);
	/* First what can be refused for want of room. */
	if (r == 0 && is_live)
		r = modify_live(c, uuid);
	if (r == 0 && is_defined)
		r = modify_defined(c, uuid);
	return r;
}

const struct ctl_verb ctl_verb_modify = {
	.name = "modify",
	.words = "[UUID]",
	.summary = "change a definition, or a running device",
	.options = options,
	.most_words = 1,
	.completes = "any",
	.run = verb_modify,
};
