/* SPDX-License-Identifier: MIT */
/* What the kernel asks: all is answered at once from the tree as it is known, but writes, which command.h carries out.
 */
#ifndef TREEFS_OPS_H
#define TREEFS_OPS_H

#include <stdbool.h>
#include <time.h>

#include "treefs/command.h"
#include "treefs/fuse.h"
#include "treefs/tree.h"

/* What the operations get. */
struct treefs {
	struct treefs_tree tree;
	struct treefs_commands *commands;
	uid_t uid; /* whose the files are, and who may write besides root */
	gid_t gid;
	bool allows_users; /* --allow-users: everybody may */
	struct timespec start;
};

extern const struct fuse_lowlevel_ops treefs_ops;

/* Tells the kernel that an entry is not what it was: a treefs_changed_fn; data: the session. */
void treefs_tell_changed(void *session, uint64_t folder, const char *name, uint64_t ino, bool has_gone);

#endif
