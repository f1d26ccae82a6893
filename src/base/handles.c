/* SPDX-License-Identifier: MIT */
#include "base/handles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct base_handle_slot {
	void *obj; /* NULL: free */
	uint32_t generation;
};

static uint32_t index_of(uint64_t handle)
{
	return (uint32_t)handle;
}

static uint32_t generation_of(uint64_t handle)
{
	return (uint32_t)(handle >> 32);
}

void base_handles_init(struct base_handles *h, uint32_t max_slots)
{
	*h = (struct base_handles){ .max_slots = max_slots };
}

void base_handles_finish(struct base_handles *h)
{
	free(h->slots);
	*h = (struct base_handles){ 0 };
}

/* Grows the table so that index exists: by doubling, never beyond the limit. */
static int grow(struct base_handles *h, uint32_t index)
{
	struct base_handle_slot *slots;
	uint64_t nr = h->nr_slots ? h->nr_slots : 16;

	while (nr <= index)
		nr *= 2;
	if (nr > h->max_slots)
		nr = h->max_slots;
	slots = reallocarray(h->slots, (size_t)nr, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + h->nr_slots, 0, ((size_t)nr - h->nr_slots) * sizeof(*slots));
	h->slots = slots;
	h->nr_slots = (uint32_t)nr;
	return 0;
}

int base_handles_add(struct base_handles *h, uint64_t handle, void *obj)
{
	uint32_t index = index_of(handle);

	if (index >= h->max_slots || generation_of(handle) == 0)
		return -EINVAL;
	if (index >= h->nr_slots) {
		int r = grow(h, index);

		if (r < 0)
			return r;
	}
	if (h->slots[index].obj)
		return -EEXIST;
	h->slots[index] = (struct base_handle_slot){ .obj = obj, .generation = generation_of(handle) };
	return 0;
}

void *base_handles_get(const struct base_handles *h, uint64_t handle)
{
	uint32_t index = index_of(handle);

	if (index >= h->nr_slots || h->slots[index].generation != generation_of(handle))
		return NULL;
	return h->slots[index].obj;
}

void *base_handles_at(const struct base_handles *h, uint32_t index)
{
	return index < h->nr_slots ? h->slots[index].obj : NULL;
}

void *base_handles_remove(struct base_handles *h, uint64_t handle)
{
	void *obj = base_handles_get(h, handle);

	if (obj)
		h->slots[index_of(handle)] = (struct base_handle_slot){ 0 };
	return obj;
}

void *base_handles_next(const struct base_handles *h, uint32_t *pos)
{
	while (*pos < h->nr_slots) {
		void *obj = h->slots[(*pos)++].obj;

		if (obj)
			return obj;
	}
	return NULL;
}
