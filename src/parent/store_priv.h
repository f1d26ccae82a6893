/* SPDX-License-Identifier: MIT */
/* Inside of the store. */
#ifndef PARENT_STORE_PRIV_H
#define PARENT_STORE_PRIV_H

#include "parent/store.h"

#define PARENT_ENTRY_NAME (2 * PARENT_DIGEST + 2) /* "ab/cdef...", with its NUL */

void parent_store_entry_name(const struct parent_key *key, char ret[PARENT_ENTRY_NAME]);
/* Moves an entry out of its place, then removes it. */
void parent_store_throw_away(struct parent_store *s, const char *entry);

#endif
