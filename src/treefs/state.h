/* SPDX-License-Identifier: MIT */
/* Between tree.c, which keeps states, and state.c, which makes them from the API's lists. */
#ifndef TREEFS_STATE_H
#define TREEFS_STATE_H

#include "treefs/tree.h"

/* Takes the object, also when it fails. Return: 0 or -ENOMEM. */
int treefs_state_add(struct treefs_state *s, struct treefs_object *o);
/* After objects were added: so that treefs_tree_find() finds them. */
void treefs_state_sort(struct treefs_state *s);

#endif
