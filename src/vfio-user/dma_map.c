/* SPDX-License-Identifier: MIT */
/* DMA_MAP and DMA_UNMAP. A map is in the table before the driver hears of it, and out of it before the driver loses it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/range.h"
#include "vfio-user/dma_priv.h"

#define MAP_FLAGS (VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE | VFU_DMA_MAP_MMAP | VFU_DMA_MAP_FILE_IO)
#define UNMAP_FLAGS (VFU_DMA_UNMAP_DIRTY_BITMAP | VFU_DMA_UNMAP_ALL)

/* The smallest page that both sides map with. */
static uint64_t page_size(const struct vfu_conn *c)
{
	uint64_t both = c->ours.pgsizes & c->theirs.pgsizes;

	if (!both)
		both = c->ours.pgsizes ? c->ours.pgsizes : BASE_PAGE_SIZE;
	return both & -both;
}

static int check_flags(const struct vfu_dma_map *wire, size_t nr_fds)
{
	uint32_t kind = wire->flags & (VFU_DMA_MAP_MMAP | VFU_DMA_MAP_FILE_IO);

	if (wire->flags & ~MAP_FLAGS || !(wire->flags & (VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE)) || nr_fds > 1 ||
	    kind == (VFU_DMA_MAP_MMAP | VFU_DMA_MAP_FILE_IO) || (kind && !nr_fds)) {
		log_debug("DMA_MAP: flags %#x do not go together, or not with %zu descriptors", wire->flags, nr_fds);
		return -EINVAL;
	}
	return 0;
}

static int check_range(const struct vfu_conn *c, const struct vfu_dma_map *wire, size_t nr_fds)
{
	uint64_t offset = nr_fds ? wire->offset : 0; /* means nothing without a file */

	if (!wire->size || (wire->address | wire->size | offset) & (page_size(c) - 1)) {
		log_debug("DMA_MAP: %#llx bytes at %#llx from offset %#llx are not made of pages",
			  (unsigned long long)wire->size, (unsigned long long)wire->address, (unsigned long long)offset);
		return -EINVAL;
	}
	if (wire->size > UINT64_MAX - wire->address || wire->size > UINT64_MAX - offset) {
		log_debug("DMA_MAP: %#llx bytes at %#llx from offset %#llx leave the address space",
			  (unsigned long long)wire->size, (unsigned long long)wire->address, (unsigned long long)offset);
		return -EINVAL;
	}
	return 0;
}

static int decode_map(const struct vfu_conn *c, const struct vfu_request *req, struct vfu_dma_map *ret)
{
	int r;

	if (req->len != sizeof(*ret))
		goto bad_size;
	memcpy(ret, req->payload, sizeof(*ret));
	if (ret->argsz < sizeof(*ret))
		goto bad_size;
	r = check_flags(ret, req->nr_fds);
	return r < 0 ? r : check_range(c, ret, req->nr_fds);
bad_size:
	log_debug("DMA_MAP: a payload of %zu bytes, or its argsz, is not right", req->len);
	return -EINVAL;
}

static struct vfu_map *take_out(struct vfu_dma *d, uint64_t iova, uint64_t len)
{
	struct vfu_map *map;

	pthread_rwlock_wrlock(&d->table_lock);
	map = vfu_table_remove_locked(d, iova, len);
	pthread_rwlock_unlock(&d->table_lock);
	if (map)
		vfu_dma_settle(d, map);
	return map;
}

/* fd: what the driver may map itself, or -1. On success the map is the table's, else it is gone. */
static int add_map(struct vfu_conn *c, struct vfu_map *map, int fd)
{
	struct trn_dma_map offer = { .iova = map->iova, .len = map->len, .offset = map->offset, .fd = fd, .flags = map->flags };
	struct vfu_dma *d = c->dma;
	int r;

	pthread_rwlock_wrlock(&d->table_lock);
	r = vfu_table_add_locked(d, map, c->ours.max_dma_maps);
	pthread_rwlock_unlock(&d->table_lock);
	if (r < 0) {
		log_debug("DMA_MAP: %#llx bytes at %#llx: %s", (unsigned long long)map->len, (unsigned long long)map->iova,
			  strerror(-r));
	} else {
		r = trn_use_dma_map(c->use, &offer);
		if (r >= 0)
			return 0;
		log_debug("DMA_MAP: the driver refuses: %s", strerror(-r));
		(void)take_out(d, offer.iova, offer.len);
	}
	vfu_memory_close(map);
	return r;
}

int vfu_handle_dma_map(struct vfu_conn *c, struct vfu_request *req)
{
	_cleanup_close_ int fd = -1;
	struct vfu_dma_map wire;
	struct vfu_map *map;
	int r = decode_map(c, req, &wire);

	if (r < 0)
		return r;
	if (!vfu_reply(c, req, 0))
		return -E2BIG;
	if (req->nr_fds)
		fd = TAKE_FD(req->fds[0]);
	/* Only the range is remembered then, for the rules of the protocol. */
	if (trn_use_never_dma(c->use))
		fd = base_close(fd);
	r = vfu_memory_open(&wire, &fd, &map);
	if (r < 0) {
		log_debug("DMA_MAP: the memory cannot be used: %s", strerror(-r));
		return r;
	}
	/* Only what we map ourselves may the driver map; fd is -1 where it is read and written. */
	return add_map(c, map, map->way == VFU_WAY_MESSAGES ? -1 : fd);
}

struct unmap {
	struct vfu_dma_unmap wire;
	struct vfu_bitmap bitmap;
	uint8_t *bits; /* in the reply; NULL: not wanted */
};

static int check_bitmap(const struct unmap *u)
{
	uint64_t pgsize = u->bitmap.pgsize, nr_pages;

	if (pgsize < BASE_PAGE_SIZE || pgsize & (pgsize - 1) || (u->wire.address | u->wire.size) & (pgsize - 1)) {
		log_debug("DMA_UNMAP: the range is not made of pages of %llu bytes", (unsigned long long)pgsize);
		return -EINVAL;
	}
	nr_pages = u->wire.size / pgsize;
	if (u->bitmap.size < (nr_pages + 63) / 64 * 8) {
		log_debug("DMA_UNMAP: %llu bytes have no room for the bits of %llu pages", (unsigned long long)u->bitmap.size,
			  (unsigned long long)nr_pages);
		return -EINVAL;
	}
	return 0;
}

static int decode_unmap(const struct vfu_request *req, struct unmap *u)
{
	size_t want = sizeof(u->wire);
	bool wants_bits;

	*u = (struct unmap){ 0 };
	if (req->len < want)
		goto bad_size;
	memcpy(&u->wire, req->payload, sizeof(u->wire));
	wants_bits = u->wire.flags & VFU_DMA_UNMAP_DIRTY_BITMAP;
	if (u->wire.flags & ~UNMAP_FLAGS || u->wire.flags == UNMAP_FLAGS ||
	    (u->wire.flags & VFU_DMA_UNMAP_ALL && (u->wire.address || u->wire.size))) {
		log_debug("DMA_UNMAP: flags %#x do not go together, or ALL with a range", u->wire.flags);
		return -EINVAL;
	}
	want += wants_bits ? sizeof(u->bitmap) : 0;
	if (req->len != want)
		goto bad_size;
	if (wants_bits)
		memcpy(&u->bitmap, req->payload + sizeof(u->wire), sizeof(u->bitmap));
	if (u->wire.argsz < want || u->wire.argsz - want < u->bitmap.size)
		goto bad_size;
	return wants_bits ? check_bitmap(u) : 0;
bad_size:
	log_debug("DMA_UNMAP: a payload of %zu bytes, or its argsz, is not right", req->len);
	return -EINVAL;
}

/* The reply is the request, and behind it the bits; zeros yet. */
static int begin_reply(struct vfu_conn *c, const struct vfu_request *req, struct unmap *u)
{
	uint8_t *p;

	if (u->bitmap.size > UINT32_MAX)
		return -E2BIG;
	p = vfu_reply(c, req, req->len + u->bitmap.size);
	if (!p)
		return -E2BIG;
	memcpy(p, req->payload, req->len);
	if (u->wire.flags & VFU_DMA_UNMAP_DIRTY_BITMAP)
		u->bits = p + req->len;
	return 0;
}

static int report(struct vfu_conn *c, const struct unmap *u)
{
	return trn_use_dma_log_report(c->use, u->wire.address, u->wire.size, u->bitmap.pgsize, u->bits);
}

static void set_all_bits(const struct unmap *u)
{
	uint64_t nr_pages = u->wire.size / u->bitmap.pgsize;

	memset(u->bits, 0xff, nr_pages / 8);
	if (nr_pages % 8)
		u->bits[nr_pages / 8] = (uint8_t)((1u << nr_pages % 8) - 1);
}

static int unmap_one(struct vfu_conn *c, const struct unmap *u)
{
	struct vfu_dma *d = c->dma;
	struct vfu_map *map;
	int r;

	/* Only this thread changes the table, so it may look without the lock. */
	if (!vfu_table_has_locked(d, u->wire.address, u->wire.size)) {
		log_debug("DMA_UNMAP: no map is %#llx bytes at %#llx", (unsigned long long)u->wire.size,
			  (unsigned long long)u->wire.address);
		return -ENOENT;
	}
	/* A failure must show while the map is still there; and what is written until the last moment must be in the bits. */
	r = u->bits ? report(c, u) : 0;
	if (r < 0)
		return r;
	map = take_out(d, u->wire.address, u->wire.size);
	(void)trn_use_dma_unmap(c->use, u->wire.address, u->wire.size);
	if (u->bits && report(c, u) < 0)
		set_all_bits(u);
	vfu_memory_close(map);
	return 0;
}

static void unmap_all(struct vfu_conn *c)
{
	struct vfu_dma *d = c->dma;

	/* From the end: nothing has to be moved up. */
	while (d->nr_maps) {
		struct vfu_map *last = d->maps[d->nr_maps - 1];

		(void)take_out(d, last->iova, last->len);
		(void)trn_use_dma_unmap(c->use, last->iova, last->len);
		vfu_memory_close(last);
	}
}

int vfu_handle_dma_unmap(struct vfu_conn *c, struct vfu_request *req)
{
	struct unmap u;
	int r = decode_unmap(req, &u);

	if (r < 0)
		return r;
	r = begin_reply(c, req, &u);
	if (r < 0)
		return r;
	if (u.wire.flags & VFU_DMA_UNMAP_ALL) {
		unmap_all(c);
		return 0;
	}
	return unmap_one(c, &u);
}
