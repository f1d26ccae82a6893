/* SPDX-License-Identifier: MIT */
/*
 * Memory of one segment, as the device process holds it: a memfd, opened twice.
 *
 * The first opening is the device's own and never leaves it.  The second one goes to client and executor.  Whatever
 * they do with theirs (map it, keep it, pass it on, open it again), it counts as another opening of the file until it
 * is gone; and the kernel grants a write lease on the first only while there is no other.  That is the proof that the
 * memory is free, whatever anybody says.
 */
#ifndef PARENTS_COMPUTE_MEMORY_H
#define PARENTS_COMPUTE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From this size on giving memory back takes long enough (0.2 s a GiB) to be the worker's. */
#define COMPUTE_MEMORY_BIG (16ull << 20)

/* *ret_grant is the opening to give away. Both are the caller's. Return: 0 or -errno. */
int compute_memory_create(uint64_t size, int *ret_own, int *ret_grant);

/* Does nobody else hold or map it any more? Then closing own gives the memory back. */
bool compute_memory_is_free(int own, uint64_t size);

#endif
