/* SPDX-License-Identifier: MIT */
/*
 * The null driver.  A device has
 *   region 0: one page (4096 bytes) a unit, readable, writable, mappable; zero after init and reset
 *   irq 0:    fires when region 0 is written through region_rw
 *   irq 1:    fires when somebody asks the holders to leave
 * Types: null-small (1 unit), null-big (4 units).
 */
#ifndef PARENTS_NULL_H
#define PARENTS_NULL_H

#include "tranche/mdev.h"

/* Registers a parent with that many units. The results are those of trn_parent_register(). */
int null_parent_register(struct trn_core *core, const char *name, uint64_t nr_units, struct trn_parent **ret,
			 struct trn_error *err);

#endif
