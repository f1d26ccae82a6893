/* SPDX-License-Identifier: MIT */
/* Finds out all about a built program's kernels. Builder's thread. */
#ifndef EXECUTOR_KERNEL_TABLE_H
#define EXECUTOR_KERNEL_TABLE_H

#include "base/blob.h"
#include "executor/program.h"

/* Appends TRNC_TAG_KERNEL items to the blob and makes the table. @show_info: the program asked for argument info, or
 * the host has it anyway. Return: cl error. */
int32_t exec_kernel_table_make(struct exec_program *p, bool show_info, struct base_blob *reply,
			       struct exec_kernel_table **ret);

/* The same from a build's reply; the host's program is still to be set. NULL: there is none in it, or no memory. */
struct exec_kernel_table *exec_kernel_table_parse(const void *blob, size_t len);

#endif
