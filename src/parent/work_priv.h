/* SPDX-License-Identifier: MIT */
/* Inside of a worker. */
#ifndef PARENT_WORK_PRIV_H
#define PARENT_WORK_PRIV_H

#include <limits.h>

#include "parent/work.h"

struct parent_job {
	const struct parent_work *work;
	pid_t self;
	int sock;  /* to the broker */
	int lock;  /* of the place, when it is in the store */
	int order; /* a memory file: the helper's order, then its reply */
	struct parent_built built;
	char place[PATH_MAX]; /* removed at the end */
	char cache[PATH_MAX + 16], scratch[PATH_MAX + 16]; /* in it */
};

/* --- extend.c: work-group functions for a program that is stored --- */

/* Gives the helper what there is already of the program for the quick device. Return: 0 or -errno. */
int parent_work_seed(struct parent_job *j);
/* What was built, for the quick device, goes to its entry, and the work-group functions to the main device's. */
int parent_work_extend(struct parent_job *j);

#endif
