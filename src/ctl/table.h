/* SPDX-License-Identifier: MIT */
/* Tables and trees for people, by libsmartcols. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>

#include "ctl/ctl.h"

enum { CTL_RIGHT = 1, CTL_TREE_COLUMN = 2, CTL_CUT = 4 }; /* CUT: what is shortened when the terminal is narrow */

struct ctl_column {
	const char *name; /* NULL ends the table */
	int flags;
};

enum ctl_color { CTL_PLAIN, CTL_GREEN, CTL_YELLOW, CTL_RED, CTL_DIM };

struct ctl_table;
struct ctl_line;

/* NULL: no memory. */
struct ctl_table *ctl_table_new(struct ctl *c, const struct ctl_column *columns);
/* above: its line in the tree; NULL: none.  NULL: no memory, which ctl_table_put() accepts. */
struct ctl_line *ctl_table_line(struct ctl_table *t, struct ctl_line *above);
void ctl_table_put(struct ctl_line *l, int column, const char *text);
void ctl_table_color(struct ctl_line *l, int column, enum ctl_color color);
/* On stdout; frees the table; NULL is no memory. Return: 0 or -errno. */
int ctl_table_print(struct ctl *c, struct ctl_table *t);
/* As text of this width, for a terminal; frees the table. To be freed; NULL: no memory. */
char *ctl_table_text(struct ctl_table *t, int width);

/* Are colours wanted there? */
bool ctl_has_colors(int fd);

#endif
