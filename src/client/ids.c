/* SPDX-License-Identifier: MIT */
#include "client/ids.h"

#include <stdlib.h>

#include "tranche/wire/compute.h"

#define FIRST_CAP 64u

void client_ids_init(struct client_ids *ids, uint32_t limit)
{
	*ids = (struct client_ids){ .limit = limit };
}

void client_ids_finish(struct client_ids *ids)
{
	free(ids->generations);
	free(ids->free);
	*ids = (struct client_ids){ 0 };
}

/* Both arrays grow together, so that a free never needs memory. */
static bool grow(struct client_ids *ids)
{
	uint32_t cap = ids->cap ? ids->cap * 2 : FIRST_CAP;
	uint32_t *bigger;

	bigger = reallocarray(ids->generations, cap, sizeof(*bigger));
	if (!bigger)
		return false;
	ids->generations = bigger;
	bigger = reallocarray(ids->free, cap, sizeof(*bigger));
	if (!bigger)
		return false;
	ids->free = bigger;
	ids->cap = cap;
	return true;
}

bool client_ids_is_full(const struct client_ids *ids)
{
	return ids->nr_free == 0 && ids->nr_used >= ids->limit;
}

uint64_t client_ids_new(struct client_ids *ids)
{
	uint32_t index;

	if (ids->nr_free && !(ids->is_fresh_first && ids->nr_used < ids->limit)) {
		index = ids->free[--ids->nr_free];
	} else {
		if (ids->nr_used >= ids->limit || (ids->nr_used == ids->cap && !grow(ids)))
			return 0;
		index = ids->nr_used++;
		ids->generations[index] = 0;
	}
	ids->generations[index]++; /* odd: in use, and never 0, wrapped or not */
	return TRNC_HANDLE(index, ids->generations[index]);
}

bool client_ids_is_live(const struct client_ids *ids, uint64_t handle)
{
	uint32_t index = (uint32_t)handle, generation = (uint32_t)(handle >> 32);

	return (generation & 1) && index < ids->nr_used && ids->generations[index] == generation;
}

bool client_ids_free(struct client_ids *ids, uint64_t handle)
{
	if (!client_ids_is_live(ids, handle))
		return false;
	ids->generations[(uint32_t)handle]++;
	ids->free[ids->nr_free++] = (uint32_t)handle;
	return true;
}
