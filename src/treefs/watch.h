/* SPDX-License-Identifier: MIT */
/*
 * Keeps the tree as tranched has it.  One thread follows the stream of events; each says that something is other than
 * it was, and another thread then gets the three lists and replaces the tree.  Events are not applied one by one: a
 * list is never older than the moment at which it was asked for, so that an event that comes late cannot bring back
 * what has gone.
 */
#ifndef TREEFS_WATCH_H
#define TREEFS_WATCH_H

#include "treefs/tree.h"
#include "tranche/error.h"

struct treefs_watch;

/* An entry is not what it was.  has_gone: it will not come back.  From a thread of the watch; the tree is not locked.
 */
typedef void (*treefs_changed_fn)(void *data, uint64_t folder, const char *name, uint64_t ino, bool has_gone);

/* Starts both threads. Return: 0, -ENOMEM, -EAGAIN, -ENAMETOOLONG. */
int treefs_watch_create(struct treefs_tree *tree, const char *socket, treefs_changed_fn fn, void *data,
	struct treefs_watch **ret, struct trn_error *err);
void treefs_watch_destroy(struct treefs_watch *w); /* NULL is accepted */

/* Waits until the tree has been looked at once, or tranched was found to be away, or timeout_ms are over. */
void treefs_watch_wait_first(struct treefs_watch *w, int timeout_ms);
/* Waits until the tree is not older than the call: what its caller has changed is seen. */
void treefs_watch_refresh(struct treefs_watch *w);

#endif
