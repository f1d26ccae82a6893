/* SPDX-License-Identifier: MIT */
/* tranche list: running devices, or definitions. */
#include <stdio.h>
#include <string.h>

#include "ctl/list.h"
#include "ctl/mdevctl.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'd', "defined", NULL, "those that are defined, running or not" },
	{ 'v', "verbose", NULL, "more columns" },
	{ 'u', "uuid", "UUID", "one device" },
	{ 'p', "parent", "PARENT", "those of one parent" },
	{ CTL_TREE, "tree", NULL, "parents, and below them their devices, running and defined" },
	{ CTL_DUMPJSON, "dumpjson", NULL, "print JSON of mdevctl's form" },
	{ 0 },
};

static const struct ctl_column device_columns[] = {
	{ "UUID", 0 },	 { "PARENT", 0 }, { "TYPE", 0 },	    { "STATE", 0 }, { "MEMORY", CTL_RIGHT }, { "TIME", CTL_RIGHT },
	{ "USE", CTL_RIGHT }, { "OWNER", 0 }, { "VM", CTL_CUT }, { 0 },
};
static const struct ctl_column more_device_columns[] = {
	{ "UUID", 0 },	 { "PARENT", 0 }, { "TYPE", 0 },	    { "STATE", 0 }, { "MEMORY", CTL_RIGHT }, { "TIME", CTL_RIGHT },
	{ "USE", CTL_RIGHT }, { "OWNER", 0 }, { "VM", CTL_CUT }, { "DEFINED", 0 }, { "IN USE", 0 }, { "PID", CTL_RIGHT },
	{ "STARTED", 0 }, { "SOCKET", 0 }, { "ATTRIBUTES", 0 }, { 0 },
};
static const struct ctl_column definition_columns[] = {
	{ "UUID", 0 },	 { "PARENT", 0 }, { "TYPE", 0 },	     { "START", 0 }, { "MEMORY", CTL_RIGHT }, { "TIME", CTL_RIGHT },
	{ "RUNNING", 0 }, { "OWNER", 0 }, { "VM", CTL_CUT }, { 0 },
};
static const struct ctl_column more_definition_columns[] = {
	{ "UUID", 0 },	 { "PARENT", 0 }, { "TYPE", 0 },	     { "START", 0 }, { "MEMORY", CTL_RIGHT }, { "TIME", CTL_RIGHT },
	{ "RUNNING", 0 }, { "OWNER", 0 }, { "VM", CTL_CUT }, { "ATTRIBUTES", 0 }, { "OPTIONS", 0 }, { 0 },
};

/* [{"a":"1"},{"b":"2"}], or {"a":"1","b":"2"}: "a=1 b=2". */
static const char *pairs(json_t *value, char buf[CTL_TEXT])
{
	const char *key;
	size_t i, at = 0;
	json_t *o, *text;

	buf[0] = '\0';
	if (json_is_object(value)) {
		json_object_foreach(value, key, text)
			if (at < CTL_TEXT)
				at += (size_t)snprintf(buf + at, CTL_TEXT - at, "%s%s=%s", at ? " " : "", key,
						       json_is_string(text) ? json_string_value(text) : "");
		return buf;
	}
	json_array_foreach(value, i, o)
		json_object_foreach(o, key, text)
			if (at < CTL_TEXT)
				at += (size_t)snprintf(buf + at, CTL_TEXT - at, "%s%s=%s", at ? " " : "", key,
						       json_is_string(text) ? json_string_value(text) : "");
	return buf;
}

void ctl_put_state(struct ctl_line *l, int column, json_t *device)
{
	const char *state = ctl_text_of(device, "state");

	ctl_table_put(l, column, state);
	ctl_table_color(l, column, !strcmp(state, "running") ? CTL_GREEN : !strcmp(state, "unresponsive") ? CTL_RED : CTL_YELLOW);
}

static void put_more_of_device(struct ctl_line *l, json_t *d)
{
	char text[CTL_TEXT];

	ctl_table_put(l, 9, ctl_text_any(json_object_get(d, "defined"), text));
	ctl_table_put(l, 10, ctl_text_any(json_object_get(d, "in_use"), text));
	ctl_table_put(l, 11, ctl_text_any(json_object_get(d, "pid"), text));
	ctl_table_put(l, 12, ctl_text_time(json_object_get(d, "started"), text));
	ctl_table_put(l, 13, ctl_text_of(d, "socket"));
	ctl_table_put(l, 14, pairs(json_object_get(d, "attrs"), text));
}

static void put(struct ctl_table *t, json_t *d, bool is_defined, bool is_verbose)
{
	struct ctl_line *l = ctl_table_line(t, NULL);
	char text[CTL_TEXT];

	ctl_table_put(l, 0, ctl_text_of(d, "uuid"));
	ctl_table_put(l, 1, ctl_text_of(d, "parent"));
	ctl_table_put(l, 2, ctl_text_of(d, "type"));
	if (is_defined)
		ctl_table_put(l, 3, ctl_text_of(d, "start"));
	else
		ctl_put_state(l, 3, d);
	ctl_table_put(l, 4, ctl_text_size(json_object_get(d, "memory"), text));
	ctl_table_put(l, 5, ctl_text_percent(json_object_get(d, "time"), text));
	if (is_defined)
		ctl_table_put(l, 6, ctl_text_any(json_object_get(d, "running"), text));
	else
		ctl_table_put(l, 6, ctl_text_share(json_object_get(json_object_get(d, "stats"), "share"), text));
	ctl_table_put(l, 7, ctl_text_any(json_object_get(d, "owner"), text));
	ctl_table_put(l, 8, ctl_text_any(json_object_get(d, "vm"), text));
	if (!is_verbose)
		return;
	if (!is_defined) {
		put_more_of_device(l, d);
		return;
	}
	ctl_table_put(l, 9, pairs(json_object_get(d, "attrs"), text));
	ctl_table_put(l, 10, pairs(json_object_get(d, "options"), text));
}

static int print_list(struct ctl *c, json_t *list)
{
	bool is_defined = ctl_has(c, 'd'), is_verbose = ctl_has(c, 'v');
	const struct ctl_column *devices = is_verbose ? more_device_columns : device_columns;
	const struct ctl_column *definitions = is_verbose ? more_definition_columns : definition_columns;
	struct ctl_table *t = ctl_table_new(c, is_defined ? definitions : devices);
	json_t *d;
	size_t i;

	if (t)
		json_array_foreach(list, i, d)
			put(t, d, is_defined, is_verbose);
	return ctl_table_print(c, t);
}

/* One device, as the text of a definition: a running device's attributes are not told. */
static json_t *mdevctl_device(json_t *d, bool is_defined, bool starts_itself)
{
	json_t *attrs = is_defined ? json_object_get(d, "attrs") : NULL;

	return json_pack("{s:s, s:s, s:o}", "mdev_type", ctl_text_of(d, "type"), "start", starts_itself ? "auto" : "manual", "attrs",
			 attrs ? json_incref(attrs) : json_array());
}

/* Of a running device: what its definition says. */
static bool starts_itself(json_t *definitions, json_t *d)
{
	json_t *o;
	size_t i;

	if (!definitions)
		return !strcmp(ctl_text_of(d, "start"), "auto");
	json_array_foreach(definitions, i, o)
		if (!strcmp(ctl_text_of(o, "uuid"), ctl_text_of(d, "uuid")))
			return !strcmp(ctl_text_of(o, "start"), "auto");
	return false;
}

static int dump_list(struct ctl *c, json_t *list)
{
	bool is_defined = ctl_has(c, 'd');
	json_t *parents, *definitions = NULL, *all, *d;
	size_t i;
	int r = is_defined ? 0 : ctl_get_list(c, "definitions", &definitions);

	if (r < 0)
		return r;
	parents = json_object();
	json_array_foreach(list, i, d) {
		json_t *one = mdevctl_device(d, is_defined, starts_itself(definitions, d));

		json_array_append_new(ctl_mdevctl_children(parents, ctl_text_of(d, "parent")),
				      json_pack("{s:o}", ctl_text_of(d, "uuid"), one));
	}
	if (ctl_has(c, 'u') && json_array_size(list) == 1) {
		d = json_array_get(list, 0);
		all = mdevctl_device(d, is_defined, starts_itself(definitions, d));
	} else {
		all = json_object_size(parents) ? json_pack("[O]", parents) : json_array();
	}
	r = all ? ctl_print_mdevctl(c, all) : ctl_no_memory(c);
	json_decref(all);
	json_decref(parents);
	json_decref(definitions);
	return r;
}

/* Takes out what -u and -p do not ask for. */
static void choose(struct ctl *c, json_t *list, const char *uuid)
{
	const char *parent = ctl_value(c, 'p');

	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *d = json_array_get(list, i);

		if ((uuid[0] && strcmp(ctl_text_of(d, "uuid"), uuid)) || (parent && strcmp(ctl_text_of(d, "parent"), parent)))
			json_array_remove(list, i);
	}
}

static int verb_list(struct ctl *c)
{
	bool is_defined = ctl_has(c, 'd');
	char uuid[CTL_UUID_TEXT] = "";
	json_t *list;
	int r = 0;

	if (ctl_has(c, CTL_TREE))
		return ctl_list_tree(c);
	if (ctl_has(c, 'u'))
		r = ctl_find_uuid(c, ctl_value(c, 'u'), is_defined ? CTL_DEFINITIONS : CTL_DEVICES, uuid);
	if (r == 0)
		r = ctl_get_list(c, is_defined ? "definitions" : "devices", &list);
	if (r < 0)
		return r;
	choose(c, list, uuid);
	if (ctl_has(c, CTL_DUMPJSON))
		r = dump_list(c, list);
	else
		r = ctl_has(c, CTL_JSON) ? ctl_print_json(c, list) : print_list(c, list);
	json_decref(list);
	return r;
}

const struct ctl_verb ctl_verb_list = {
	.name = "list",
	.words = "",
	.summary = "show devices that run, or that are defined",
	.options = options,
	.run = verb_list,
};
