/* SPDX-License-Identifier: MIT */
/* tranche schedule: how a parent's time is shared. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ CTL_SLICE, "slice", "MS", "how long a device has the host device at a time" },
	{ 0 },
};

static const struct ctl_column columns[] = {
	{ "PARENT", 0 }, { "POLICY", 0 }, { "SLICE", CTL_RIGHT }, { 0 },
};

static void put(struct ctl_table *t, const char *parent, json_t *schedule)
{
	struct ctl_line *l = ctl_table_line(t, NULL);
	char text[CTL_TEXT] = "";

	ctl_table_put(l, 0, parent);
	ctl_table_put(l, 1, ctl_text_of(schedule, "policy"));
	if (json_is_number(json_object_get(schedule, "slice_ms")))
		snprintf(text, sizeof(text), "%g ms", json_number_value(json_object_get(schedule, "slice_ms")));
	ctl_table_put(l, 2, text);
}

static int show_all(struct ctl *c)
{
	json_t *list, *p, *all = json_object();
	struct ctl_table *t;
	size_t i;
	int r = ctl_get_list(c, "parents", &list);

	if (r < 0) {
		json_decref(all);
		return r;
	}
	json_array_foreach(list, i, p)
		if (json_is_object(json_object_get(p, "schedule")))
			json_object_set(all, ctl_text_of(p, "name"), json_object_get(p, "schedule"));
	if (ctl_has(c, CTL_JSON)) {
		r = ctl_print_json(c, all);
	} else {
		const char *name;

		t = ctl_table_new(c, columns);
		if (t)
			json_object_foreach(all, name, p)
				put(t, name, p);
		r = ctl_table_print(c, t);
	}
	json_decref(list);
	json_decref(all);
	return r;
}

static int print_one(struct ctl *c, json_t *schedule)
{
	struct ctl_table *t;

	if (ctl_has(c, CTL_JSON))
		return ctl_print_json(c, schedule);
	t = ctl_table_new(c, columns);
	if (t)
		put(t, c->words[0], schedule);
	return ctl_table_print(c, t);
}

static int make_body(struct ctl *c, json_t *body)
{
	const char *slice = ctl_value(c, CTL_SLICE);

	if (c->nr_words > 1) {
		if (strcmp(c->words[1], "best-effort") && strcmp(c->words[1], "equal") && strcmp(c->words[1], "fixed"))
			return ctl_usage(c, "a policy is best-effort, equal or fixed, not \"%.60s\"", c->words[1]);
		json_object_set_new(body, "policy", json_string(c->words[1]));
	}
	if (slice) {
		double ms = ctl_parse_seconds(slice);

		if (ms <= 0)
			return ctl_usage(c, "--slice wants milliseconds, not \"%.60s\"", slice);
		json_object_set_new(body, "slice_ms", json_real(ms));
	}
	return 0;
}

static int set(struct ctl *c)
{
	json_t *body = json_object(), *schedule = NULL;
	int r = make_body(c, body);

	if (r == 0)
		r = ctl_patch(c, api_path("/v1/parents/", c->words[0], "/schedule", NULL), body, &schedule);
	if (r == 0 && ctl_has(c, CTL_JSON))
		r = ctl_print_json(c, schedule);
	json_decref(schedule);
	json_decref(body);
	return r;
}

static int verb_schedule(struct ctl *c)
{
	json_t *schedule;
	int r;

	if (c->nr_words == 0)
		return ctl_has(c, CTL_SLICE) ? ctl_usage(c, "--slice is of one parent: which?") : show_all(c);
	if (c->nr_words > 1 || ctl_has(c, CTL_SLICE))
		return set(c);
	r = ctl_get(c, api_path("/v1/parents/", c->words[0], "/schedule", NULL), &schedule);
	if (r < 0)
		return r;
	r = print_one(c, schedule);
	json_decref(schedule);
	return r;
}

const struct ctl_verb ctl_verb_schedule = {
	.name = "schedule",
	.words = "[PARENT [best-effort|equal|fixed]]",
	.summary = "show or set how a parent's time is shared",
	.more = "best-effort: nobody waits; equal: each device that has work gets as much; fixed: each gets its --time.",
	.options = options,
	.most_words = 2,
	.completes = "parents",
	.run = verb_schedule,
};
