/* SPDX-License-Identifier: MIT */
/*
 * Work-group functions: PoCL compiles and links one for each kernel, local size, with or without offset, and for small or
 * large grids, when it is first launched, and keeps it in a folder that says which.
 */
#ifndef EXECUTOR_VARIANT_H
#define EXECUTOR_VARIANT_H

#include <stdbool.h>

#include "executor/program.h"
#include "tranche/wire/parent.h"

/* The folder's name ("16-1-1-goffs0-smallgrid"), read; false: it is no such name. The kernel is the caller's to set. */
bool exec_variant_parse(const char *name, struct trnc_broker_variant *ret);

/*
 * Makes work-group functions without running anything: a launch waits for a user event that never comes, and PoCL's
 * "basic" device compiles before it waits.  What cannot be made is left out.  The context is of no use afterwards: the
 * process has to end without releasing it.
 */
void exec_variants_make(struct exec_context *c, const struct exec_kernel_table *t,
			const struct trnc_broker_variant *variants, uint32_t nr);

#endif
