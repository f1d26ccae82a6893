/* SPDX-License-Identifier: MIT */
/*
 * The table of maps: an array of pointers, sorted by address, so that finding one costs a binary search. Maps seldom come
 * and go; moving the pointers behind one is cheaper than what else the message costs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfio-user/dma_priv.h"

/* Where the first map lies that ends behind iova. */
static size_t find(const struct vfu_dma *d, uint64_t iova)
{
	size_t low = 0, high = d->nr_maps;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->maps[middle]->iova + (d->maps[middle]->len - 1) < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow(struct vfu_dma *d)
{
	size_t room = d->room ? 2 * d->room : 16;
	struct vfu_map **maps = reallocarray(d->maps, room, sizeof(struct vfu_map *));

	if (!maps)
		return -ENOMEM;
	d->maps = maps;
	d->room = room;
	return 0;
}

int vfu_table_add_locked(struct vfu_dma *d, struct vfu_map *map, uint32_t max)
{
	size_t i = find(d, map->iova);
	int r;

	if (i < d->nr_maps && d->maps[i]->iova <= map->iova + (map->len - 1))
		return -EEXIST;
	if (d->nr_maps >= max)
		return -ENOSPC;
	if (d->nr_maps == d->room) {
		r = grow(d);
		if (r < 0)
			return r;
	}
	memmove(&d->maps[i + 1], &d->maps[i], (d->nr_maps - i) * sizeof(struct vfu_map *));
	d->maps[i] = map;
	d->nr_maps++;
	return 0;
}

bool vfu_table_has_locked(const struct vfu_dma *d, uint64_t iova, uint64_t len)
{
	size_t i = find(d, iova);

	return i < d->nr_maps && d->maps[i]->iova == iova && d->maps[i]->len == len;
}

struct vfu_map *vfu_table_remove_locked(struct vfu_dma *d, uint64_t iova, uint64_t len)
{
	size_t i = find(d, iova);
	struct vfu_map *map;

	if (!vfu_table_has_locked(d, iova, len))
		return NULL;
	map = d->maps[i];
	d->nr_maps--;
	memmove(&d->maps[i], &d->maps[i + 1], (d->nr_maps - i) * sizeof(struct vfu_map *));
	return map;
}

struct vfu_map *vfu_table_at_locked(const struct vfu_dma *d, uint64_t iova)
{
	size_t i = find(d, iova);

	return i < d->nr_maps && d->maps[i]->iova <= iova ? d->maps[i] : NULL;
}
