/* SPDX-License-Identifier: MIT */
#ifndef CTL_LIST_H
#define CTL_LIST_H

#include "ctl/table.h"

/* A device's state, in its color. */
void ctl_put_state(struct ctl_line *l, int column, json_t *device);

/* list --tree */
int ctl_list_tree(struct ctl *c);

#endif
