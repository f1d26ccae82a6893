/* SPDX-License-Identifier: MIT */
/* tranche types: what devices a parent can have. */
#include <stdio.h>

#include "ctl/mdevctl.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'p', "parent", "PARENT", "those of one parent" },
	{ CTL_DUMPJSON, "dumpjson", NULL, "print JSON of mdevctl's form" },
	{ 0 },
};

static const struct ctl_column columns[] = {
	{ "PARENT", 0 }, { "TYPE", 0 }, { "API", 0 }, { "AVAILABLE", CTL_RIGHT }, { "COST", 0 }, { "DESCRIPTION", CTL_CUT }, { 0 },
};

static int print_types(struct ctl *c, json_t *list)
{
	struct ctl_table *t = ctl_table_new(c, columns);
	char text[CTL_TEXT];
	json_t *type;
	size_t i;

	if (t)
		json_array_foreach(list, i, type) {
			struct ctl_line *l = ctl_table_line(t, NULL);

			ctl_table_put(l, 0, ctl_text_of(type, "parent"));
			ctl_table_put(l, 1, ctl_text_of(type, "name"));
			ctl_table_put(l, 2, ctl_text_of(type, "device_api"));
			ctl_table_put(l, 3, ctl_text_any(json_object_get(type, "available_instances"), text));
			ctl_table_put(l, 4, ctl_text_resources(json_object_get(type, "cost"), text));
			ctl_table_put(l, 5, ctl_text_of(type, "description"));
		}
	return ctl_table_print(c, t);
}

/* mdevctl leaves out texts that are empty. */
static void add_text(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, json_string(text));
}

static json_t *mdevctl_type(json_t *type)
{
	json_t *o = json_object();

	json_object_set(o, "available_instances", json_object_get(type, "available_instances"));
	json_object_set(o, "device_api", json_object_get(type, "device_api"));
	add_text(o, "name", ctl_text_of(type, "pretty_name"));
	add_text(o, "description", ctl_text_of(type, "description"));
	return json_pack("{s:o}", ctl_text_of(type, "name"), o);
}

/* The list of a parent, made when it is not there yet. */
json_t *ctl_mdevctl_children(json_t *parents, const char *name)
{
	json_t *children = json_object_get(parents, name);

	if (children)
		return children;
	children = json_array();
	json_object_set_new(parents, name, children);
	return children;
}

int ctl_print_mdevctl(struct ctl *c, json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	putchar('\n');
	return ctl_flush(c);
}

static int dump_types(struct ctl *c, json_t *list)
{
	json_t *parents = json_object(), *type, *all;
	size_t i;
	int r;

	json_array_foreach(list, i, type)
		json_array_append_new(ctl_mdevctl_children(parents, ctl_text_of(type, "parent")), mdevctl_type(type));
	all = json_object_size(parents) ? json_pack("[O]", parents) : json_array();
	r = all ? ctl_print_mdevctl(c, all) : ctl_no_memory(c);
	json_decref(all);
	json_decref(parents);
	return r;
}

static int get_types(struct ctl *c, json_t **ret)
{
	const char *parent = ctl_value(c, 'p');
	json_t *answer;
	int r = ctl_get(c, parent ? api_path("/v1/types?parent=", parent, NULL) : api_path("/v1/types", NULL), &answer);

	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(answer, "types"));
	json_decref(answer);
	return 0;
}

static int verb_types(struct ctl *c)
{
	json_t *list = NULL;
	int r = get_types(c, &list);

	if (r < 0)
		return r;
	if (ctl_has(c, CTL_DUMPJSON))
		r = dump_types(c, list);
	else
		r = ctl_has(c, CTL_JSON) ? ctl_print_json(c, list) : print_types(c, list);
	json_decref(list);
	return r;
}

const struct ctl_verb ctl_verb_types = {
	.name = "types",
	.words = "",
	.summary = "show what devices there can be, and how many more",
	.options = options,
	.run = verb_types,
};
