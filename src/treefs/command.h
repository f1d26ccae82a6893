/* SPDX-License-Identifier: MIT */
/*
 * Writes to files, as requests to tranched.  Each runs on a thread of its own, so that one that waits (a removal) holds
 * up nobody, and can be interrupted: its connection is closed, which tranched takes for giving up.
 */
#ifndef TREEFS_COMMAND_H
#define TREEFS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "treefs/fuse.h"
#include "treefs/node.h"
#include "treefs/watch.h"

struct treefs_commands;

/* will_wait: a device that is in use is asked to let go, and waited for; else EBUSY. Return: 0, -ENOMEM, -ENAMETOOLONG.
 */
int treefs_commands_create(struct treefs_watch *watch, const char *socket, bool will_wait, struct treefs_commands **ret,
	struct trn_error *err);
/* Gives up those that are under way, and waits until they are answered; later ones are refused with EAGAIN. NULL is
 * accepted. */
void treefs_commands_end(struct treefs_commands *c);
void treefs_commands_destroy(struct treefs_commands *c); /* NULL is accepted */

/*
 * What a write of len bytes to the node asks for.  The request is answered, now or later, unless the return is
 * negative: -EINVAL (not what the file takes), -EAGAIN (too many at a time), -ENOMEM.  The tree is locked.
 */
int treefs_command_start(
	struct treefs_commands *c, fuse_req_t req, const struct treefs_node *node, const char *text, size_t len);

#endif
