/* SPDX-License-Identifier: MIT */
#include "ctl/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ctl_table {
	struct libscols_table *scols;
};

bool ctl_has_colors(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && (!no || !*no) && term && strcmp(term, "dumb");
}

static int scols_flags(int flags)
{
	return (flags & CTL_RIGHT ? SCOLS_FL_RIGHT : 0) | (flags & CTL_TREE_COLUMN ? SCOLS_FL_TREE : 0) |
	       (flags & CTL_CUT ? SCOLS_FL_TRUNC : 0);
}

struct ctl_table *ctl_table_new(struct ctl *c, const struct ctl_column *columns)
{
	struct ctl_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->scols = scols_new_table();
	if (!t->scols) {
		free(t);
		return NULL;
	}
	for (; columns->name; columns++)
		scols_table_new_column(t->scols, columns->name, columns->flags & CTL_CUT ? 0.1 : 1, scols_flags(columns->flags));
	scols_table_enable_noheadings(t->scols, ctl_has(c, CTL_NO_HEADINGS));
	scols_table_enable_colors(t->scols, ctl_has_colors(STDOUT_FILENO));
	return t;
}

struct ctl_line *ctl_table_line(struct ctl_table *t, struct ctl_line *above)
{
	return (struct ctl_line *)scols_table_new_line(t->scols, (struct libscols_line *)above);
}

void ctl_table_put(struct ctl_line *l, int column, const char *text)
{
	if (l)
		scols_line_set_data((struct libscols_line *)l, (size_t)column, text);
}

void ctl_table_color(struct ctl_line *l, int column, enum ctl_color color)
{
	static const char *const names[] = {
		[CTL_PLAIN] = NULL, [CTL_GREEN] = "green", [CTL_YELLOW] = "brown", [CTL_RED] = "red", [CTL_DIM] = "darkgray",
	};
	struct libscols_cell *cell = l ? scols_line_get_cell((struct libscols_line *)l, (size_t)column) : NULL;

	if (cell)
		scols_cell_set_color(cell, names[color]);
}

static void destroy(struct ctl_table *t)
{
	scols_unref_table(t->scols);
	free(t);
}

int ctl_table_print(struct ctl *c, struct ctl_table *t)
{
	int r;

	if (!t)
		return ctl_no_memory(c);
	r = scols_print_table(t->scols);
	destroy(t);
	return r < 0 ? trn_error_set(&c->err, r, "NotPrinted", "cannot print a table: %s", strerror(-r)) : ctl_flush(c);
}

char *ctl_table_text(struct ctl_table *t, int width)
{
	char *text = NULL;

	if (!t)
		return NULL;
	scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(t->scols, (size_t)width);
	if (scols_print_table_to_string(t->scols, &text) < 0)
		text = NULL;
	destroy(t);
	return text;
}
