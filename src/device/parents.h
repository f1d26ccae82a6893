/* SPDX-License-Identifier: MIT */
/* The parent drivers that this program can serve: the only file that names them is parents.c. */
#ifndef DEVICE_PARENTS_H
#define DEVICE_PARENTS_H

#include <stddef.h>

#include "parents/compute/compute.h"
#include "tranche/mdev.h"

struct device_parent {
	const char *name;
	const char *type; /* the type of a device when none is named */
	int (*register_parent)(struct trn_core *core, const char *name, const struct compute_config *config,
			       struct trn_parent **ret, struct trn_error *err);
};

/* The driver of that name, or NULL and a sentence that lists those that there are. */
const struct device_parent *device_parent_find(const char *name, struct trn_error *err);

#endif
