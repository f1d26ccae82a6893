/* SPDX-License-Identifier: MIT */
/*
 * Which memory a buffer gets, and how it comes back: a piece once the host has worked off its BUFFER_DESTROY (an event
 * tells), a segment by the device's own check.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/futex.h"
#include "base/range.h"
#include "client/refuse.h"
#include "client/transport.h"

#define REAP_A_STEP 8 /* pieces that one allocation looks at */

/* Without a sign of progress for this long an allocation gives up waiting for memory that was freed: a command may
 * keep it for ever, waiting for a user event. Cleaning takes the device up to 0.3 s a GiB. */
#define PATIENCE_NS 1000000000ull
#define PATIENCE_NS_PER_GIB 300000000ull

/* ------------------------------------------------------- coming back */

static void destroy_all(struct base_list *segments)
{
	struct client_segment *seg, *next;

	base_list_for_each_safe(seg, next, segments, node) {
		base_list_remove(&seg->node);
		client_segment_destroy(seg, 0, 0);
	}
}

/* With buffers.lock held; segments that are not needed any more go to surplus. Return: was it complete? */
static bool reap_one_locked(struct client_context *c, size_t i, struct base_list *surplus)
{
	struct client_deferred *d = &c->deferred[i];
	struct client_segment *seg;

	if (client_event_status(c, d->event) > 0)
		return false;
	client_event_free(c, d->event);
	seg = client_pool_give_locked(&c->buffers, &d->mem);
	if (seg)
		base_list_append(surplus, &seg->node);
	*d = c->deferred[--c->nr_deferred];
	atomic_fetch_add(&c->session->nr_freed, 1);
	return true;
}

/* Looks at up to max of them, going on where the last call stopped, so that one busy piece does not hide the others. */
static void reap_locked(struct client_context *c, size_t max, struct base_list *surplus)
{
	size_t i = c->deferred_next;

	for (size_t n = c->nr_deferred < max ? c->nr_deferred : max; n && c->nr_deferred; n--) {
		if (i >= c->nr_deferred)
			i = 0;
		if (!reap_one_locked(c, i, surplus))
			i++;
	}
	c->deferred_next = i;
}

size_t client_memory_reap(struct client_context *c, bool all)
{
	struct base_list surplus;
	size_t left;

	base_list_init(&surplus);
	pthread_mutex_lock(&c->buffers.lock);
	reap_locked(c, all ? c->nr_deferred : REAP_A_STEP, &surplus);
	left = c->nr_deferred;
	pthread_mutex_unlock(&c->buffers.lock);
	destroy_all(&surplus);
	return left;
}

void client_memory_finish(struct client_context *c)
{
	destroy_all(&c->exact);
	client_pool_finish(&c->buffers);
	client_pool_finish(&c->staging);
	free(c->deferred);
}

/* Takes back and gives back what it can in all contexts of the session. Return: pieces and segments still under way. */
static size_t reap_session(struct client_session *s)
{
	struct client_context *contexts[TRNC_MAX_CONTEXTS], *c;
	size_t nr = 0, left = 0;

	pthread_mutex_lock(&s->reap_lock);
	pthread_mutex_lock(&s->lock);
	base_list_for_each(c, &s->contexts, node)
		contexts[nr++] = c;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < nr; i++) {
		left += client_memory_reap(contexts[i], true);
		client_pool_trim(&contexts[i]->buffers);
		client_pool_trim(&contexts[i]->staging);
	}
	pthread_mutex_unlock(&s->reap_lock);

	s->transport->drain(s, 0);
	pthread_mutex_lock(&s->lock);
	left += s->nr_dying;
	pthread_mutex_unlock(&s->lock);
	return left;
}

/* ------------------------------------------------------------ getting */

static int alloc_exact(struct client_context *c, enum trnc_segment_kind kind, uint64_t size, struct client_mem *ret,
		       struct trn_error *err)
{
	struct client_segment *seg;
	uint64_t rounded;
	int r;

	if (!base_round_up(size, BASE_PAGE_SIZE, &rounded))
		return client_refuse(err, -ENOSPC, "OverQuota", CLIENT_HINT_QUOTA,
				     "%llu bytes are more than any device has",
				     (unsigned long long)size);
	r = client_segment_create(c->session, kind, rounded, false, &seg, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->buffers.lock);
	base_list_append(&c->exact, &seg->node);
	pthread_mutex_unlock(&c->buffers.lock);
	*ret = (struct client_mem){ .offset = seg->offset, .size = size, .ptr = seg->ptr, .segment = seg };
	return 0;
}

static int alloc_once(struct client_context *c, struct client_pool *pool, uint64_t size, struct client_mem *ret,
		      struct trn_error *err)
{
	struct base_list surplus;
	int r;

	if (size >= CLIENT_EXACT_MIN)
		return alloc_exact(c, pool->kind, size, ret, err);

	base_list_init(&surplus);
	pthread_mutex_lock(&pool->lock);
	if (pool == &c->buffers)
		reap_locked(c, REAP_A_STEP, &surplus);
	r = client_pool_take_locked(pool, size, ret);
	pthread_mutex_unlock(&pool->lock);
	destroy_all(&surplus);
	if (r == -ENOMEM)
		return client_refuse_memory(err);
	return r == -ENOSPC ? client_pool_grow(pool, size, ret, err) : r;
}

static uint64_t patience_ns(struct client_session *s)
{
	uint64_t bytes;

	pthread_mutex_lock(&s->lock);
	bytes = s->bytes_dying;
	pthread_mutex_unlock(&s->lock);
	return PATIENCE_NS + (bytes >> 30) * PATIENCE_NS_PER_GIB;
}

/* Waits until something came back. Return: false when nothing is under way, or nothing happens. */
static bool wait_for_memory(struct client_session *s, uint64_t seen)
{
	uint64_t start = base_clock_ns();

	for (;;) {
		size_t left = reap_session(s);

		if (atomic_load(&s->nr_freed) != seen)
			return true;
		if (!left || client_session_is_lost(s) || base_clock_ns() - start > patience_ns(s))
			return false;
		s->transport->drain(s, 1);
	}
}

/* Memory that was freed counts until the host and the device are through with it: wait for that before refusing. */
static int alloc(struct client_context *c, struct client_pool *pool, uint64_t size, struct client_mem *ret,
		 struct trn_error *err)
{
	struct client_session *s = c->session;

	if (size == 0)
		return client_refuse(err, -EINVAL, "NoSize", "ask for one byte at least",
				     "a piece of memory cannot have no bytes");
	for (;;) {
		uint64_t seen = atomic_load(&s->nr_freed);
		struct trn_error refusal = { 0 };
		int r;

		if (client_context_is_lost(c))
			return client_context_refuse_lost(c, err);
		r = alloc_once(c, pool, size, ret, &refusal);
		if (r == 0)
			return 0;
		if (r != -ENOSPC || size > client_session_account(s, pool->kind)->limit || !wait_for_memory(s, seen)) {
			if (err && !err->code)
				*err = refusal;
			return r;
		}
	}
}

int client_mem_alloc(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err)
{
	return alloc(c, &c->buffers, size, ret, err);
}

int client_staging_alloc(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err)
{
	return alloc(c, &c->staging, size, ret, err);
}

/* ----------------------------------------------------------- giving */

static void free_exact(struct client_context *c, struct client_mem *mem, uint32_t context, uint64_t after_pos)
{
	pthread_mutex_lock(&c->buffers.lock);
	base_list_remove(&mem->segment->node);
	pthread_mutex_unlock(&c->buffers.lock);
	client_segment_destroy(mem->segment, context, after_pos);
}

static void free_now(struct client_context *c, struct client_pool *pool, struct client_mem *mem)
{
	struct client_segment *surplus;

	if (client_session_is_foreign(c->session))
		return;
	if (!mem->segment->pool_segment) {
		free_exact(c, mem, 0, 0);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	surplus = client_pool_give_locked(pool, mem);
	pthread_mutex_unlock(&pool->lock);
	if (surplus)
		client_segment_destroy(surplus, 0, 0);
}

void client_mem_free(struct client_context *c, struct client_mem *mem)
{
	free_now(c, &c->buffers, mem);
}

void client_staging_free(struct client_context *c, struct client_mem *mem)
{
	free_now(c, &c->staging, mem);
}

/* Remembers a piece until its event is complete. Without memory for that it stays out till the context ends. */
static void defer(struct client_context *c, const struct client_mem *mem, uint64_t event)
{
	pthread_mutex_lock(&c->buffers.lock);
	if (c->nr_deferred == c->deferred_cap) {
		size_t cap = c->deferred_cap ? c->deferred_cap * 2 : 64;
		struct client_deferred *bigger = reallocarray(c->deferred, cap, sizeof(*bigger));

		if (!bigger) {
			pthread_mutex_unlock(&c->buffers.lock);
			return;
		}
		c->deferred = bigger;
		c->deferred_cap = cap;
	}
	c->deferred[c->nr_deferred++] = (struct client_deferred){ .mem = *mem, .event = event };
	pthread_mutex_unlock(&c->buffers.lock);
}

void client_mem_show(const struct client_mem *mem)
{
	if (mem->segment && !atomic_load_explicit(&mem->segment->is_shown, memory_order_relaxed))
		client_segment_show(mem->segment);
}

void client_buffer_destroy(struct client_context *c, uint64_t buffer, struct client_mem *mem)
{
	struct trnc_rec_buffer_destroy *rec;
	bool is_piece = mem && mem->segment->pool_segment;
	uint64_t event = 0, pos;
	void *room;

	if (is_piece)
		event = client_event_new(c, NULL);
	if (client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, sizeof(*rec), &room) < 0) {
		/* Lost: nobody uses the memory any more. */
		client_event_free(c, event);
		client_handle_free(c, CLIENT_BUFFER, buffer);
		if (mem)
			client_mem_free(c, mem);
		return;
	}
	rec = room;
	rec->buffer = buffer;
	rec->event = event;
	pos = client_rec_publish(c);
	client_handle_free(c, CLIENT_BUFFER, buffer);
	if (is_piece && event)
		defer(c, mem, event);
	else if (mem && !is_piece)
		free_exact(c, mem, c->id, pos);
}
