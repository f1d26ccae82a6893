/* SPDX-License-Identifier: MIT */
#include "client/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/range.h"
#include "client/refuse.h"
#include "client/segments.h"

#define SEGMENT_MIN (1ull << 20)
#define SEGMENT_MAX_SHIFT 3 /* 8 MiB */
#define KEEP_MAX (SEGMENT_MIN << SEGMENT_MAX_SHIFT)

struct client_pool_segment {
	struct base_list node; /* in roomy or full */
	struct client_segment *segment;
	struct client_pages pages;
};

void client_pool_init(struct client_pool *p, struct client_session *s, enum trnc_segment_kind kind)
{
	*p = (struct client_pool){ .session = s, .kind = kind };
	pthread_mutex_init(&p->lock, NULL);
	base_list_init(&p->roomy);
	base_list_init(&p->full);
	client_splits_init(&p->splits);
}

static struct client_segment *free_pool_segment(struct client_pool *p, struct client_pool_segment *ps)
{
	struct client_segment *segment = ps->segment;

	base_list_remove(&ps->node);
	client_pages_finish(&ps->pages);
	if (p->kept == ps)
		p->kept = NULL;
	p->nr_segments--;
	free(ps);
	segment->pool_segment = NULL;
	return segment;
}

void client_pool_finish(struct client_pool *p)
{
	struct client_pool_segment *ps, *next;

	base_list_for_each_safe(ps, next, &p->roomy, node)
		client_segment_destroy(free_pool_segment(p, ps), 0, 0);
	base_list_for_each_safe(ps, next, &p->full, node)
		client_segment_destroy(free_pool_segment(p, ps), 0, 0);
	pthread_mutex_destroy(&p->lock);
}

static uint32_t to_pages(uint64_t size)
{
	return (uint32_t)((size + BASE_PAGE_SIZE - 1) / BASE_PAGE_SIZE);
}

/* Units of a piece that shares its page, or 0 for one that has whole pages. */
static uint32_t to_units(uint64_t size)
{
	uint64_t units = (size + CLIENT_UNIT - 1) / CLIENT_UNIT;

	return units < CLIENT_UNITS_A_PAGE ? (uint32_t)units : 0;
}

static void file_segment(struct client_pool *p, struct client_pool_segment *ps)
{
	base_list_remove(&ps->node);
	base_list_append(ps->pages.nr_free ? &p->roomy : &p->full, &ps->node);
}

static void fill_piece(struct client_pool *p, struct client_pool_segment *ps, uint64_t start, uint64_t size,
		       struct client_mem *ret)
{
	if (p->kept == ps)
		p->kept = NULL;
	if (ps->pages.nr_free == 0)
		file_segment(p, ps);
	*ret = (struct client_mem){
		.offset = ps->segment->offset + start,
		.size = size,
		.ptr = ps->segment->ptr + start,
		.segment = ps->segment,
	};
}

static int take_from(struct client_pool *p, struct client_pool_segment *ps, uint64_t size, struct client_mem *ret)
{
	uint32_t units = to_units(size);
	int64_t at;

	if (units) {
		at = client_pages_split(&ps->pages, &p->splits, ps, units);
		if (at >= 0)
			fill_piece(p, ps, (uint64_t)at * CLIENT_UNIT, size, ret);
	} else {
		at = client_pages_take(&ps->pages, to_pages(size));
		if (at >= 0)
			fill_piece(p, ps, (uint64_t)at * BASE_PAGE_SIZE, size, ret);
	}
	return at < 0 ? (int)at : 0;
}

int client_pool_take_locked(struct client_pool *p, uint64_t size, struct client_mem *ret)
{
	struct client_pool_segment *ps;
	uint32_t units = to_units(size), unit;
	void *owner;

	if (units && client_units_take(&p->splits, units, &owner, &unit)) {
		fill_piece(p, owner, (uint64_t)unit * CLIENT_UNIT, size, ret);
		return 0;
	}
	base_list_for_each(ps, &p->roomy, node) {
		int r = take_from(p, ps, size, ret);

		if (r != -ENOSPC)
			return r;
	}
	return -ENOSPC;
}

struct client_segment *client_pool_give_locked(struct client_pool *p, const struct client_mem *mem)
{
	struct client_pool_segment *ps = mem->segment->pool_segment;
	uint64_t start = mem->offset - mem->segment->offset;
	uint32_t units = to_units(mem->size);
	bool was_full = ps->pages.nr_free == 0;

	if (units)
		client_units_give(&ps->pages, &p->splits, (uint32_t)(start / CLIENT_UNIT), units);
	else
		client_pages_give(&ps->pages, (uint32_t)(start / BASE_PAGE_SIZE), to_pages(mem->size));
	if (was_full && ps->pages.nr_free)
		file_segment(p, ps);

	if (ps->pages.nr_free < ps->pages.nr_pages)
		return NULL;
	if (p->kept || ps->segment->size > KEEP_MAX)
		return free_pool_segment(p, ps);
	p->kept = ps;
	return NULL;
}

void client_pool_trim(struct client_pool *p)
{
	struct client_segment *segment = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->kept)
		segment = free_pool_segment(p, p->kept);
	pthread_mutex_unlock(&p->lock);
	if (segment)
		client_segment_destroy(segment, 0, 0);
}

/* The size of the next segment: never more than what was left when the device told last, if a piece fits in that. */
static uint64_t choose_size(struct client_pool *p, uint64_t piece)
{
	struct client_session *s = p->session;
	struct client_account *account = client_session_account(s, p->kind);
	unsigned int shift = p->nr_segments < SEGMENT_MAX_SHIFT ? p->nr_segments : SEGMENT_MAX_SHIFT;
	uint64_t size = SEGMENT_MIN << shift, left;

	pthread_mutex_lock(&s->lock);
	left = account->limit > account->used ? (account->limit - account->used) & ~(BASE_PAGE_SIZE - 1) : 0;
	pthread_mutex_unlock(&s->lock);
	if (size > left)
		size = left;
	/* From 1 MiB on sharing saves little, and what a segment has too much is charged too. */
	if (piece >= SEGMENT_MIN || size < piece)
		return piece;
	return size / piece * piece;
}

static int add_segment(struct client_pool *p, uint64_t size, struct client_pool_segment **ret, struct trn_error *err)
{
	struct client_pool_segment *ps = calloc(1, sizeof(*ps));
	int r;

	if (!ps || client_pages_init(&ps->pages, to_pages(size)) < 0) {
		free(ps);
		return client_refuse_memory(err);
	}
	base_list_init(&ps->node);
	r = client_segment_create(p->session, p->kind, size, false, &ps->segment, err);
	if (r < 0) {
		client_pages_finish(&ps->pages);
		free(ps);
		return r;
	}
	ps->segment->pool_segment = ps;
	*ret = ps;
	return 0;
}

int client_pool_grow(struct client_pool *p, uint64_t size, struct client_mem *ret, struct trn_error *err)
{
	struct client_pool_segment *ps = NULL;
	struct client_segment *surplus = NULL;
	uint64_t piece, try;
	int r = 0;

	if (!base_round_up(size, BASE_PAGE_SIZE, &piece))
		return client_refuse(err, -ENOSPC, "OverQuota", CLIENT_HINT_QUOTA,
				     "%llu bytes are more than any device has",
				     (unsigned long long)size);
	pthread_mutex_lock(&p->lock);
	try = choose_size(p, piece);
	pthread_mutex_unlock(&p->lock);

	/* Refused: others may have taken what we believed to be left. Down to the piece alone. */
	while (try > piece) {
		r = add_segment(p, try, &ps, NULL);
		if (r != -ENOSPC)
			break;
		try = try / 2 / piece * piece;
	}
	if (!ps)
		r = add_segment(p, piece, &ps, err);
	if (r < 0)
		return r;

	pthread_mutex_lock(&p->lock);
	p->nr_segments++;
	file_segment(p, ps);
	r = take_from(p, ps, size, ret);
	if (r < 0 && p->kept)
		surplus = free_pool_segment(p, ps);
	else if (r < 0)
		p->kept = ps;
	pthread_mutex_unlock(&p->lock);
	if (surplus)
		client_segment_destroy(surplus, 0, 0);
	if (r < 0)
		return client_refuse_memory(err);
	return 0;
}
