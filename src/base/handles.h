/* SPDX-License-Identifier: MIT */
/*
 * A table from handles that the peer chose to our own pointers.  A handle is { u32 index, u32 generation }
 * in one u64: generation << 32 | index.  Not locked: one owner.
 */
#ifndef BASE_HANDLES_H
#define BASE_HANDLES_H

#include <stdint.h>

struct base_handles {
	struct base_handle_slot *slots; /* owned */
	uint32_t nr_slots;
	uint32_t max_slots; /* limit on index; set at init */
};

void base_handles_init(struct base_handles *h, uint32_t max_slots);
void base_handles_finish(struct base_handles *h); /* the objects are the caller's */

/* -EINVAL: index over the limit or generation 0; -EEXIST: index in use; -ENOMEM. obj must not be NULL. */
int base_handles_add(struct base_handles *h, uint64_t handle, void *obj);
/* NULL when there is none, or one of another generation. */
void *base_handles_get(const struct base_handles *h, uint64_t handle);
/* The object at an index, of whatever generation; NULL when the index is free. */
void *base_handles_at(const struct base_handles *h, uint32_t index);
/* Removes and returns; NULL as above. */
void *base_handles_remove(struct base_handles *h, uint64_t handle);
/* Walks all objects: start with *pos = 0; NULL at the end. */
void *base_handles_next(const struct base_handles *h, uint32_t *pos);

#endif
