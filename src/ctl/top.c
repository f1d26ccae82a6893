/* SPDX-License-Identifier: MIT */
/* tranche top: devices and their use, live on a terminal, printed elsewhere. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/list.h"
#include "ctl/screen.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'b', "batch", NULL, "print tables one below the other, no screen" },
	{ 'n', "count", "N", "end after so many" },
	{ CTL_ONCE, "once", NULL, "print one table: -b -n 1" },
	{ 'd', "delay", "SECONDS", "time between two looks (default: 1)" },
	{ 's', "sort", "KEY", "by use (default), memory, commands or name" },
	{ 'r', "reverse", NULL, "the other way round" },
	{ 0 },
};

static const struct ctl_column columns[] = {
	{ "UUID", 0 },	      { "PARENT", 0 },	    { "TYPE", 0 },		 { "STATE", 0 },      { "USE", CTL_RIGHT },
	{ "TIME", CTL_RIGHT }, { "USED", CTL_RIGHT }, { "MEMORY", CTL_RIGHT }, { "SESSIONS", CTL_RIGHT }, { "COMMANDS", CTL_RIGHT },
	{ "OWNER", 0 },	      { "VM", CTL_CUT },    { 0 },
};

enum sort { BY_USE, BY_MEMORY, BY_COMMANDS, BY_NAME, NR_SORTS };
static const char *const sort_names[] = { "use", "memory", "commands", "name" };

struct top {
	struct ctl *c;
	enum sort sort;
	bool is_reversed, is_batch;
	double delay;
	long left; /* -1: without end */
	json_t *parents, *devices;
};

/* What a device is sorted by; names are compared apart. */
static double weight(const struct top *t, json_t *device)
{
	static const char *const keys[] = { "share", "used", "commands", "" };

	return json_number_value(json_object_get(json_object_get(device, "stats"), keys[t->sort]));
}

struct row {
	json_t *device;
	double weight;
	int sign;
};

static int compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->weight < b->weight)
		return a->sign;
	if (a->weight > b->weight)
		return -a->sign;
	return a->sign * strcmp(ctl_text_of(a->device, "uuid"), ctl_text_of(b->device, "uuid"));
}

static void put_row(struct ctl_table *table, json_t *d)
{
	json_t *stats = json_object_get(d, "stats");
	struct ctl_line *l = ctl_table_line(table, NULL);
	char text[CTL_TEXT];

	ctl_table_put(l, 0, ctl_text_of(d, "uuid"));
	ctl_table_put(l, 1, ctl_text_of(d, "parent"));
	ctl_table_put(l, 2, ctl_text_of(d, "type"));
	ctl_put_state(l, 3, d);
	ctl_table_put(l, 4, ctl_text_share(json_object_get(stats, "share"), text));
	ctl_table_put(l, 5, ctl_text_percent(json_object_get(d, "time"), text));
	ctl_table_put(l, 6, ctl_text_size(json_object_get(stats, "used"), text));
	ctl_table_put(l, 7, ctl_text_size(json_object_get(d, "memory"), text));
	ctl_table_put(l, 8, ctl_text_any(json_object_get(stats, "sessions_now"), text));
	ctl_table_put(l, 9, ctl_text_any(json_object_get(stats, "commands"), text));
	ctl_table_put(l, 10, ctl_text_any(json_object_get(d, "owner"), text));
	ctl_table_put(l, 11, ctl_text_any(json_object_get(d, "vm"), text));
}

/* NULL: no memory. */
static struct ctl_table *make_table(const struct top *t)
{
	size_t nr = json_array_size(t->devices);
	struct row *rows = calloc(nr + 1, sizeof(*rows));
	struct ctl_table *table = rows ? ctl_table_new(t->c, columns) : NULL;

	for (size_t i = 0; table && i < nr; i++) {
		rows[i].device = json_array_get(t->devices, i);
		rows[i].weight = weight(t, rows[i].device);
		rows[i].sign = t->is_reversed ? -1 : 1;
	}
	if (table)
		qsort(rows, nr, sizeof(*rows), compare);
	for (size_t i = 0; table && i < nr; i++)
		put_row(table, rows[i].device);
	free(rows);
	return table;
}

static void forget(struct top *t)
{
	json_decref(t->parents);
	json_decref(t->devices);
	t->parents = t->devices = NULL;
}

static int look(struct top *t)
{
	int r;

	forget(t);
	r = ctl_get_list(t->c, "parents", &t->parents);
	return r ? r : ctl_get_list(t->c, "devices", &t->devices);
}

/* "cpu0 75.0 %, 2.5 GiB of 4 GiB left, 2 devices, equal" */
static void print_parent(FILE *f, json_t *p)
{
	char use[CTL_TEXT], left[CTL_TEXT], all[CTL_TEXT];
	const char *policy = ctl_text_of(json_object_get(p, "schedule"), "policy");

	fprintf(f, "%s", ctl_text_of(p, "name"));
	if (*ctl_text_share(json_object_get(p, "use"), use))
		fprintf(f, " %s busy", use);
	ctl_text_size(json_object_get(json_object_get(p, "left"), "memory"), left);
	ctl_text_size(json_object_get(json_object_get(p, "capacity"), "memory"), all);
	if (*left && *all)
		fprintf(f, ", %s of %s left", left, all);
	fprintf(f, ", devices: %lld", (long long)json_integer_value(json_object_get(p, "devices")));
	if (*policy)
		fprintf(f, ", %s", policy);
	fputc('\n', f);
}

static void print_parents(FILE *f, json_t *parents)
{
	json_t *p;
	size_t i;

	json_array_foreach(parents, i, p)
		print_parent(f, p);
}

static int print_json_line(struct top *t)
{
	json_t *o = json_pack("{s:I, s:O, s:O}", "time", (json_int_t)time(NULL), "parents", t->parents, "devices", t->devices);

	if (!o)
		return ctl_no_memory(t->c);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
	return ctl_flush(t->c);
}

static int print_once(struct top *t)
{
	if (ctl_has(t->c, CTL_JSON))
		return print_json_line(t);
	if (!ctl_has(t->c, CTL_NO_HEADINGS))
		print_parents(stdout, t->parents);
	return ctl_table_print(t->c, make_table(t));
}

static void nap(double seconds)
{
	struct timespec s = { .tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9) };

	nanosleep(&s, NULL);
}

static int run_batch(struct top *t)
{
	for (;;) {
		int r = look(t);

		if (r == 0)
			r = print_once(t);
		if (r < 0 || (t->left > 0 && --t->left == 0))
			return r;
		nap(t->delay);
		if (!ctl_has(t->c, CTL_JSON))
			putchar('\n');
	}
}

/* ---- on a terminal ---- */

static int draw(struct top *t, struct ctl_screen *s)
{
	int width, height;
	char *table, *text = NULL;
	size_t len;
	FILE *f;

	ctl_screen_size(&width, &height);
	table = ctl_table_text(make_table(t), width);
	f = open_memstream(&text, &len);
	if (!table || !f) {
		free(table);
		return ctl_no_memory(t->c);
	}
	print_parents(f, t->parents);
	fprintf(f, "sorted by %s%s; q: quit, s: sort by another column, r: reverse\n\n%s", sort_names[t->sort],
		t->is_reversed ? ", reversed" : "", table);
	free(table);
	if (fclose(f) == 0)
		ctl_screen_draw(s, text, width, height);
	free(text);
	return 0;
}

/* Return: true to end. */
static bool take_key(struct top *t, int key)
{
	if (key == 's')
		t->sort = (t->sort + 1) % NR_SORTS;
	if (key == 'r')
		t->is_reversed = !t->is_reversed;
	return key == 'q' || key == 'Q' || key == CTL_KEY_END;
}

static int run_screen(struct top *t)
{
	struct ctl_screen *s;
	int key = 0, r = look(t); /* what is refused is told before the screen changes */

	if (r < 0)
		return r;
	r = ctl_screen_open(&s, &t->c->err);
	if (r < 0)
		return r;
	while (r == 0 && !take_key(t, key)) {
		r = draw(t, s);
		if (t->left > 0 && --t->left == 0)
			break;
		key = ctl_screen_wait(s, t->delay);
		/* A key or another size: the same figures in another form. */
		if (r == 0 && key == CTL_KEY_NONE)
			r = look(t);
	}
	ctl_screen_close(s);
	return r;
}

static int take_options(struct top *t)
{
	struct ctl *c = t->c;
	const char *count = ctl_value(c, 'n'), *delay = ctl_value(c, 'd'), *sort = ctl_value(c, 's');

	if (count) {
		char *end;

		t->left = strtol(count, &end, 10);
		if (end == count || *end || t->left < 1)
			return ctl_usage(c, "--count wants a number from 1 on, not \"%.60s\"", count);
	}
	if (delay) {
		t->delay = ctl_parse_seconds(delay);
		if (t->delay < 0.1)
			return ctl_usage(c, "--delay wants 0.1 seconds or more, not \"%.60s\"", delay);
	}
	for (t->sort = BY_USE; sort && t->sort < NR_SORTS && strcmp(sort, sort_names[t->sort]);)
		t->sort++;
	if (t->sort == NR_SORTS)
		return ctl_usage(c, "--sort wants use, memory, commands or name, not \"%.60s\"", sort);
	t->is_reversed = ctl_has(c, 'r');
	return 0;
}

static int verb_top(struct ctl *c)
{
	bool has_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct top t = { .c = c, .delay = 1, .left = -1 };
	int r = take_options(&t);

	if (r)
		return r;
	t.is_batch = ctl_has(c, 'b') || ctl_has(c, CTL_ONCE) || ctl_has(c, CTL_JSON) || !has_terminal;
	/* A pipe gets one table, unless more are asked for. */
	if (ctl_has(c, CTL_ONCE) || (!has_terminal && t.left < 0 && !ctl_has(c, 'b')))
		t.left = 1;
	r = t.is_batch ? run_batch(&t) : run_screen(&t);
	forget(&t);
	return r;
}

const struct ctl_verb ctl_verb_top = {
	.name = "top",
	.words = "",
	.summary = "watch devices and their use",
	.more = "On a terminal: q quits, s sorts by another column, r reverses. Elsewhere one table is printed.",
	.options = options,
	.run = verb_top,
};
