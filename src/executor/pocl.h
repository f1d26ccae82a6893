/* SPDX-License-Identifier: MIT */
/*
 * All that is known of one driver, PoCL: how it is asked for its second CPU device, how it divides work, and where its
 * compiled functions lie.  On every other driver, and on a PoCL that does these things in another way, nothing is found
 * and launches go where they always went.
 */
#ifndef EXECUTOR_POCL_H
#define EXECUTOR_POCL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/host.h"
#include "executor/route.h"

/* Makes PoCL show the device that runs kernels on the calling thread, beside its usual one; before the first call of
 * OpenCL. False when the user has chosen devices: then they are left as they are. */
bool exec_pocl_ask_for_quick(void);

/* Is it that device? */
bool exec_pocl_is_quick(const struct exec_host *h, cl_platform_id platform, cl_device_id device);

/* What the main device goes by when it chooses a local size. */
struct exec_pocl_limits {
	uint64_t group;	   /* items of a group */
	uint64_t items[3]; /* in each dimension */
	uint64_t multiple; /* that it prefers */
	uint64_t units;
};
/* False: the host does not say. */
bool exec_pocl_get_limits(const struct exec_host *h, struct exec_pocl_limits *ret);

/* The local size that PoCL chooses for a global size without zeros. */
void exec_pocl_local_size(const struct exec_pocl_limits *l, const uint64_t global[3], uint64_t ret[3]);

/* A program's folder below a cache folder. */
#define EXEC_POCL_FOLDER 64

/* A compiled function's place in its program's folder, for the driver's own choice among its variants.
 * False: no room. */
bool exec_pocl_function(char *buf, size_t size, const char *kernel, const uint64_t local[3],
			const struct exec_route_key *key);

/* The one program in a cache folder. False: there is none, or there are several. */
bool exec_pocl_find_program(const char *cache, char ret[EXEC_POCL_FOLDER]);

/* Moves that program to another cache folder, unless it is there. Return: 0 or -errno. */
int exec_pocl_move_program(const char *from, const char *to, const char *program);

/* Copies a compiled function from one program's folder to the other's. Return: 0 or -errno. */
int exec_pocl_copy_function(const char *cache, const char *from, const char *to, const char *function);

/* Removes a cache folder that holds a program at most, with what the compiler left behind. */
void exec_pocl_remove_cache(const char *cache);

#endif
