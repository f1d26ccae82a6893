/* SPDX-License-Identifier: MIT */
#include "executor/context.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/log.h"
#include "base/range.h"
#include "executor/buffer.h"
#include "executor/events.h"
#include "executor/graph.h"
#include "executor/image.h"
#include "executor/kernel.h"
#include "executor/program.h"
#include "executor/quick.h"
#include "executor/ring.h"
#include "executor/sampler.h"

#define JOIN_RETRY_NS 20000000

#define BLOCK_SIZE (TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot))

/* Frees what is no host object; the thread is not running. Accepts half-made contexts. */
static void free_context(struct exec_context *c)
{
	exec_waker_remove(&c->sleeper);
	for (uint32_t i = 0; i < TRNC_MAX_EVENT_BLOCKS; i++)
		exec_window_put(c->blocks[i].segment);
	exec_window_put(c->channel);
	base_handles_finish(&c->buffers);
	base_handles_finish(&c->images);
	base_handles_finish(&c->samplers);
	base_handles_finish(&c->kernels);
	base_handles_finish(&c->queues);
	base_handles_finish(&c->events);
	base_handles_finish(&c->programs);
	exec_quick_free(c, c->quick);
	free(c->waits);
	free(c->record);
	free(c);
}

static struct exec_context *new_context(struct executor *ex, uint32_t id)
{
	struct exec_context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ex = ex;
	c->id = id;
	base_handles_init(&c->buffers, TRNC_MAX_OBJECTS);
	base_handles_init(&c->images, TRNC_MAX_OBJECTS);
	base_handles_init(&c->samplers, TRNC_MAX_OBJECTS);
	base_handles_init(&c->kernels, TRNC_MAX_OBJECTS);
	base_handles_init(&c->queues, TRNC_MAX_OBJECTS);
	base_handles_init(&c->events, TRNC_MAX_OBJECTS);
	base_handles_init(&c->programs, TRNC_MAX_OBJECTS);
	base_list_init(&c->ready);
	base_list_init(&c->unsettled);
	exec_gate_side_init(&c->gate);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->programs_lock, NULL);
	pthread_cond_init(&c->quiet, NULL);
	pthread_cond_init(&c->builders_quiet, NULL);
	c->waits = calloc(TRNC_MAX_WAITS, sizeof(cl_event));
	c->record = aligned_alloc(64, TRNC_REC_MAX);
	if (c->waits && c->record)
		return c;
	free_context(c);
	return NULL;
}

static int map_channel(struct exec_context *c, const struct trnc_context_create *m, struct trn_error *err)
{
	uint64_t len = TRNC_CHANNEL_RING + (uint64_t)m->ring_len + BLOCK_SIZE;
	void *addr, *block;

	if (m->ring_len < TRNC_RING_MIN || m->ring_len > TRNC_RING_MAX || (m->ring_len & (m->ring_len - 1)) ||
	    !base_is_page_aligned(m->channel))
		return trn_error_set(err, -EINVAL, "Channel", "a channel with a ring of %u bytes at %llu is not valid",
				     m->ring_len, (unsigned long long)m->channel);
	c->channel = exec_window_get(&c->ex->window, TRNC_SEGMENT_SERVICE, m->channel, len, &addr);
	if (!c->channel)
		return trn_error_set(err, -EINVAL, "Channel", "the channel is in no service segment");
	c->blocks[0].segment = exec_window_get(&c->ex->window, TRNC_SEGMENT_SERVICE,
					       m->channel + TRNC_CHANNEL_RING + m->ring_len, BLOCK_SIZE, &block);
	if (!c->blocks[0].segment)
		return trn_error_set(err, -EINVAL, "Channel", "the channel is in no service segment");
	c->user = addr;
	c->page = (void *)((uint8_t *)addr + TRNC_CHANNEL_HOST);
	c->ring = (uint8_t *)addr + TRNC_CHANNEL_RING;
	c->ring_len = m->ring_len;
	c->is_guest = c->ex->window.is_guest;
	if (c->is_guest)
		exec_waker_add(&c->ex->waker, &c->sleeper, c->page, (void *)((uint8_t *)addr + TRNC_CHANNEL_KERNEL));
	exec_context_tell_time(c, base_clock_raw_ns());
	atomic_store(&c->blocks[0].slots, block);
	return 0;
}

int exec_context_create(struct executor *ex, const struct trnc_context_create *m, struct exec_context **ret,
			struct trn_error *err)
{
	struct exec_context *c = new_context(ex, m->context);
	cl_int cl_err = CL_SUCCESS;
	int r;

	if (!c)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a context");
	r = map_channel(c, m, err);
	if (r < 0)
		goto fail;
	c->host = ex->host.spare;
	ex->host.spare = NULL;
	if (!c->host)
		c->host = exec_host_create_context(&ex->host, &cl_err);
	if (!c->host) {
		r = trn_error_set(err, -EIO, "HostContext", "the host's OpenCL makes no context: error %d", cl_err);
		goto fail;
	}
	c->quick = exec_quick_new(c);
	/* The device process may have said which executor of the session this is. */
	if (c->page->generation == 0)
		c->page->generation = 1;
	r = pthread_create(&c->thread, NULL, exec_ring_thread, c);
	if (r) {
		r = trn_error_set(err, -r, "NoThread", "no thread for a context");
		ex->host.ReleaseContext(c->host);
		goto fail;
	}
	*ret = c;
	return 0;

fail:
	free_context(c);
	return r;
}

int exec_context_add_block(struct exec_context *c, const struct trnc_event_block_add *a, struct trn_error *err)
{
	struct exec_segment *segment;
	void *addr;

	if (a->block == 0 || a->block >= TRNC_MAX_EVENT_BLOCKS || !base_is_page_aligned(a->offset) ||
	    atomic_load(&c->blocks[a->block].slots) || !atomic_load(&c->blocks[a->block - 1].slots))
		return trn_error_set(err, -EINVAL, "EventBlock", "event block %u is not the next one", a->block);
	segment = exec_window_get(&c->ex->window, TRNC_SEGMENT_SERVICE, a->offset, BLOCK_SIZE, &addr);
	if (!segment)
		return trn_error_set(err, -EINVAL, "EventBlock", "event block %u is in no service segment", a->block);
	c->blocks[a->block].segment = segment;
	atomic_store(&c->blocks[a->block].slots, addr);
	return 0;
}

void exec_context_refuse(struct exec_context *c, int32_t cl_err)
{
	atomic_store((_Atomic int32_t *)&c->page->last_refusal, cl_err);
	atomic_fetch_add((_Atomic uint64_t *)&c->page->refused, 1);
	log_debug("context %u: a record was refused with %d", c->id, cl_err);
}

void exec_context_signal(struct exec_context *c)
{
	if (__builtin_expect(c->is_guest, false))
		exec_sleeper_completed(&c->sleeper);
	else
		base_futex_signal((_Atomic uint32_t *)&c->user->user_asleep);
}

void exec_context_signal_news(struct exec_context *c)
{
	if (__builtin_expect(c->is_guest, false))
		exec_sleeper_news(&c->sleeper);
	else
		base_futex_signal((_Atomic uint32_t *)&c->user->user_asleep);
}

void exec_context_tell_time(struct exec_context *c, uint64_t now_ns)
{
	if (c->is_guest)
		atomic_store_explicit((_Atomic uint64_t *)&c->page->clock_ns, now_ns, memory_order_release);
}

void exec_context_poke(struct exec_context *c)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&c->user->host_asleep;

	atomic_store(asleep, 0);
	base_futex_wake(asleep);
}

void exec_context_unpend_locked(struct exec_context *c, uint64_t nr)
{
	c->pending -= nr;
	if (c->pending == 0)
		pthread_cond_broadcast(&c->quiet);
}

/* A program may set the flag again between our wake and the thread's look: so more than once. */
static void join_ring(struct exec_context *c)
{
	struct timespec until;

	atomic_store(&c->stopping, true);
	do {
		exec_context_poke(c);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += JOIN_RETRY_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	} while (pthread_timedjoin_np(c->thread, NULL, &until) == ETIMEDOUT);
}

/* Waits until neither commands nor buffers are left on the host, and none of its threads looks at the context. */
static void wait_quiet(struct exec_context *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->pending)
		pthread_cond_wait(&c->quiet, &c->lock);
	pthread_mutex_unlock(&c->lock);
	while (atomic_load(&c->callbacks))
		sched_yield();
}

static void release_events(struct exec_context *c)
{
	struct exec_event *e;
	uint32_t pos = 0;

	pthread_mutex_lock(&c->lock);
	while ((e = base_handles_next(&c->events, &pos))) {
		e->slot = NULL;
		exec_event_unref(e);
	}
	pthread_mutex_unlock(&c->lock);
}

void exec_context_destroy(struct exec_context *c)
{
	join_ring(c);
	exec_queues_release_all(c);
	exec_programs_release_all(c);
	exec_kernels_release_all(c);
	exec_images_release_all(c);
	exec_buffers_release_all(c);
	/* Running kernels end when they end; only their session's end stops an endless one. */
	wait_quiet(c);
	exec_samplers_release_all(c);
	release_events(c);
	c->ex->host.ReleaseContext(c->host);
	free_context(c);
}
