/* SPDX-License-Identifier: MIT */
/* Compiled code for the quick device.  The one place that makes it; blocks, so for a builder's thread. */
#ifndef EXECUTOR_QUICK_COMPILE_H
#define EXECUTOR_QUICK_COMPILE_H

#include "executor/build.h"
#include "executor/executor.h"
#include "executor/pocl.h"

/* One program's folders in the session's cache. */
struct exec_quick_folders {
	char main[EXEC_POCL_FOLDER], quick[EXEC_POCL_FOLDER];
};

/* Sees to it that the session's cache holds the program of a build request, and the same one parsed, for the quick
 * device, and tells where the main device's functions of it lie. Return: 0 or -errno. */
int exec_quick_compile(struct executor *ex, const void *request, size_t len, const struct exec_build_request *q,
		       struct exec_quick_folders *ret);

#endif
