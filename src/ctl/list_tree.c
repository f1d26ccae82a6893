/* SPDX-License-Identifier: MIT */
/* tranche list --tree: parents, their devices, and definitions that do not run. */
#include <string.h>

#include "ctl/list.h"
#include "ctl/table.h"
#include "ctl/text.h"

static const struct ctl_column columns[] = {
	{ "NAME", CTL_TREE_COLUMN }, { "TYPE", 0 }, { "STATE", 0 }, { "MEMORY", CTL_RIGHT }, { "TIME", CTL_RIGHT },
	{ "USE", CTL_RIGHT },	     { "OWNER", 0 }, { "VM", CTL_CUT }, { 0 },
};

struct lists {
	json_t *parents, *devices, *definitions;
};

static bool has(json_t *list, const char *key, const char *value)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (!strcmp(ctl_text_of(o, key), value))
			return true;
	return false;
}

static struct ctl_line *put(struct ctl_table *t, struct ctl_line *above, json_t *d)
{
	struct ctl_line *l = ctl_table_line(t, above);
	char text[CTL_TEXT];

	ctl_table_put(l, 0, ctl_text_of(d, "uuid"));
	ctl_table_put(l, 1, ctl_text_of(d, "type"));
	ctl_table_put(l, 3, ctl_text_size(json_object_get(d, "memory"), text));
	ctl_table_put(l, 4, ctl_text_percent(json_object_get(d, "time"), text));
	ctl_table_put(l, 5, ctl_text_share(json_object_get(json_object_get(d, "stats"), "share"), text));
	ctl_table_put(l, 6, ctl_text_any(json_object_get(d, "owner"), text));
	ctl_table_put(l, 7, ctl_text_any(json_object_get(d, "vm"), text));
	return l;
}

static void put_children(struct ctl_table *t, const struct lists *all, struct ctl_line *above, const char *parent)
{
	json_t *d;
	size_t i;

	json_array_foreach(all->devices, i, d)
		if (!strcmp(ctl_text_of(d, "parent"), parent))
			ctl_put_state(put(t, above, d), 2, d);
	json_array_foreach(all->definitions, i, d) {
		struct ctl_line *l;

		if (strcmp(ctl_text_of(d, "parent"), parent) || has(all->devices, "uuid", ctl_text_of(d, "uuid")))
			continue;
		l = put(t, above, d);
		ctl_table_put(l, 2, "defined");
		for (int column = 0; column < 8; column++)
			ctl_table_color(l, column, CTL_DIM);
	}
}

static void put_parent(struct ctl_table *t, const struct lists *all, json_t *p)
{
	struct ctl_line *l = ctl_table_line(t, NULL);
	const char *name = ctl_text_of(p, "name");
	json_t *capacity = json_object_get(p, "capacity");
	char text[CTL_TEXT];

	ctl_table_put(l, 0, name);
	ctl_table_put(l, 1, ctl_text_of(p, "driver"));
	ctl_table_put(l, 2, ctl_text_of(p, "state"));
	ctl_table_put(l, 3, ctl_text_size(json_object_get(capacity, "memory"), text));
	ctl_table_put(l, 5, ctl_text_share(json_object_get(p, "use"), text));
	put_children(t, all, l, name);
}

/* Those whose parent is not there have a line for it all the same. */
static void put_orphans(struct ctl_table *t, const struct lists *all)
{
	json_t *seen = json_object(), *d;
	size_t i;

	json_array_foreach(all->definitions, i, d) {
		const char *parent = ctl_text_of(d, "parent");
		struct ctl_line *l;

		if (has(all->parents, "name", parent) || json_object_get(seen, parent))
			continue;
		json_object_set_new(seen, parent, json_true());
		l = ctl_table_line(t, NULL);
		ctl_table_put(l, 0, parent);
		ctl_table_put(l, 2, "missing");
		ctl_table_color(l, 2, CTL_RED);
		put_children(t, all, l, parent);
	}
	json_decref(seen);
}

static int print_tree(struct ctl *c, const struct lists *all)
{
	const char *wanted = ctl_value(c, 'p');
	struct ctl_table *t = ctl_table_new(c, columns);
	json_t *p;
	size_t i;

	if (!t)
		return ctl_no_memory(c);
	json_array_foreach(all->parents, i, p)
		if (!wanted || !strcmp(ctl_text_of(p, "name"), wanted))
			put_parent(t, all, p);
	if (!wanted)
		put_orphans(t, all);
	return ctl_table_print(c, t);
}

int ctl_list_tree(struct ctl *c)
{
	struct lists all = { 0 };
	int r = ctl_get_list(c, "parents", &all.parents);

	if (r == 0)
		r = ctl_get_list(c, "devices", &all.devices);
	if (r == 0)
		r = ctl_get_list(c, "definitions", &all.definitions);
	if (r == 0 && ctl_has(c, CTL_JSON)) {
		json_t *o = json_pack("{s:O, s:O, s:O}", "parents", all.parents, "devices", all.devices, "definitions", all.definitions);

		r = o ? ctl_print_json(c, o) : ctl_no_memory(c);
		json_decref(o);
	} else if (r == 0) {
		r = print_tree(c, &all);
	}
	json_decref(all.parents);
	json_decref(all.devices);
	json_decref(all.definitions);
	return r;
}
