/* SPDX-License-Identifier: MIT */
/* tranche parents: shows them, makes one, removes one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ CTL_ADD, "add", "NAME", "make a parent, until tranched ends" },
	{ CTL_DRIVER, "driver", "DRIVER", "its driver (default: compute)" },
	{ CTL_HOST_DEVICE, "host-device", "N", "the host's OpenCL device for it" },
	{ CTL_MEMORY, "memory", "SIZE", "what it has to share out (default: what the host device has)" },
	{ 'o', "option", "KEY=VALUE", "an option of the driver" },
	{ CTL_REMOVE, "remove", "NAME", "remove a parent, and its devices" },
	{ CTL_WAIT, "wait", "[=SECONDS]", "wait until its devices are not in use any more" },
	{ CTL_FORCE, "force", NULL, "take its devices from whoever uses them" },
	{ 0 },
};

static const struct ctl_column columns[] = {
	{ "NAME", 0 },	 { "DRIVER", 0 },	  { "STATE", 0 },    { "HOST DEVICE", CTL_CUT }, { "CAPACITY", 0 },
	{ "LEFT", 0 },	 { "DEVICES", CTL_RIGHT }, { "SCHEDULE", 0 }, { "USE", CTL_RIGHT },	  { 0 },
};

static void put_parent(struct ctl_table *t, json_t *p)
{
	struct ctl_line *l = ctl_table_line(t, NULL);
	json_t *host = json_object_get(p, "host_device");
	const char *state = ctl_text_of(p, "state");
	char text[CTL_TEXT];

	ctl_table_put(l, 0, ctl_text_of(p, "name"));
	ctl_table_put(l, 1, ctl_text_of(p, "driver"));
	ctl_table_put(l, 2, state);
	ctl_table_color(l, 2, state[0] == 'u' ? CTL_GREEN : CTL_RED);
	ctl_table_put(l, 3, ctl_text_of(host, "name"));
	ctl_table_put(l, 4, ctl_text_resources(json_object_get(p, "capacity"), text));
	ctl_table_put(l, 5, ctl_text_resources(json_object_get(p, "left"), text));
	ctl_table_put(l, 6, ctl_text_any(json_object_get(p, "devices"), text));
	ctl_table_put(l, 7, ctl_text_of(json_object_get(p, "schedule"), "policy"));
	ctl_table_put(l, 8, ctl_text_share(json_object_get(p, "use"), text));
}

static int print_parents(struct ctl *c, json_t *list)
{
	struct ctl_table *t = ctl_table_new(c, columns);
	json_t *p;
	size_t i;

	if (t)
		json_array_foreach(list, i, p)
			put_parent(t, p);
	return ctl_table_print(c, t);
}

static int list_parents(struct ctl *c)
{
	json_t *list;
	int r = ctl_get_list(c, "parents", &list);

	if (r < 0)
		return r;
	r = ctl_has(c, CTL_JSON) ? ctl_print_json(c, list) : print_parents(c, list);
	json_decref(list);
	return r;
}

static int take_host_device(struct ctl *c, json_t *body)
{
	const char *text = ctl_value(c, CTL_HOST_DEVICE);
	char *end;
	long n;

	if (!text)
		return 0;
	n = strtol(text, &end, 10);
	if (end == text || *end || n < 0 || n > 1023)
		return ctl_usage(c, "--host-device wants a number from 0 on, not \"%.60s\"", text);
	json_object_set_new(body, "host_device", json_integer(n));
	return 0;
}

static int add_parent(struct ctl *c)
{
	const char *driver = ctl_value(c, CTL_DRIVER);
	json_t *body = json_pack("{s:s, s:s}", "name", ctl_value(c, CTL_ADD), "driver", driver ? driver : "compute");
	json_t *parent = NULL;
	int r = body ? ctl_take_fields(c, body, false) : ctl_no_memory(c);

	if (r == 0)
		r = take_host_device(c, body);
	if (r == 0)
		r = ctl_post(c, api_path("/v1/parents", NULL), body, &parent);
	if (r == 0 && ctl_has(c, CTL_JSON))
		r = ctl_print_json(c, parent);
	json_decref(parent);
	json_decref(body);
	return r;
}

static int remove_parent(struct ctl *c)
{
	char query[64];
	int r = ctl_stop_query(c, query);

	return r ? r : ctl_delete(c, api_path("/v1/parents/", ctl_value(c, CTL_REMOVE), query, NULL));
}

static int verb_parents(struct ctl *c)
{
	if (ctl_has(c, CTL_ADD) && ctl_has(c, CTL_REMOVE))
		return ctl_usage(c, "--add and --remove exclude each other");
	if (ctl_has(c, CTL_ADD))
		return add_parent(c);
	return ctl_has(c, CTL_REMOVE) ? remove_parent(c) : list_parents(c);
}

const struct ctl_verb ctl_verb_parents = {
	.name = "parents",
	.words = "",
	.summary = "show what can be sliced, and what is left of it",
	.options = options,
	.run = verb_parents,
};
