/* SPDX-License-Identifier: MIT */
/*
 * What the executor gives up before it initialises the host's OpenCL (which a copy of tranche-parent has loaded
 * already): kernels are native code and may do what the process may.  Kept: reading files (compilers need theirs),
 * starting programs (PoCL runs ld), writing below the cache folder.  Executors of guests read and start no more than the
 * host's OpenCL does.
 */
#ifndef EXECUTOR_SANDBOX_H
#define EXECUTOR_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "tranche/error.h"

/* First thing, also of a copy and of a helper: ends with its parent, own process group, closes descriptors, no core
 * dumps. */
void exec_sandbox_begin(void);

/* Bounds private memory. 0: no limit. */
void exec_sandbox_limit_heap(uint64_t bytes);

/* Drops all the rest, in this thread and those it starts.  @is_guest: the programs are a stranger's (sandbox_guest.c).
 * Return: 0 or -errno; a kernel without Landlock is an error for a guest alone. */
int exec_sandbox_enter(bool is_guest, struct trn_error *err);

#endif
