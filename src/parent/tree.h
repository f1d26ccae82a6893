/* SPDX-License-Identifier: MIT */
/* A digest of what a folder holds, by what the file system says of its files: names, sizes, times, numbers. */
#ifndef PARENT_TREE_H
#define PARENT_TREE_H

#include "parent/key.h"

/* What may be looked at in all. */
struct parent_tree_budget {
	unsigned int entries;
	unsigned int depth;
	bool texts_only; /* of a folder that is for other things, too: what is named like a source; hidden folders not */
};
#define PARENT_TREE_BUDGET { .entries = 8192, .depth = 12 }

/*
 * @base: what path is relative to; NULL: nothing.  Links are followed at the top, and counted as what they point to
 * below it; linked folders are not entered.
 * Return: 0; -ENOENT, -ENOTDIR; -E2BIG: there is more than the budget, or a linked folder; other -errno.
 */
int parent_tree_digest(const char *base, const char *path, struct parent_tree_budget *budget, struct parent_key *ret);

#endif
