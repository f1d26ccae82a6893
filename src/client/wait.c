/* SPDX-License-Identifier: MIT */
/* Waiting for the host: spin a little, unless it needs our CPU to go on, then sleep as the transport does. */
#include <errno.h>
#include <sched.h>

#include "base/futex.h"
#include "client/output.h"
#include "client/transport.h"

#define SPIN_MIN_NS 20000u
#define SPIN_MAX_NS 100000u
#define SPIN_STEPS 16 /* looks between two looks at the clock */

/* These looks take below a microsecond: when it was more, somebody else ran on this processor meanwhile.  Then the next
 * waits go to sleep at once, more of them each time. */
#define PREEMPTED_NS 50000u
#define CROWDED_WAITS 16u
#define CROWDED_WAITS_MAX 1024u

/* Several threads may count at the same time: it is a hint. */
static bool is_crowded(struct client_context *c)
{
	uint32_t left = atomic_load_explicit(&c->crowded, memory_order_relaxed);

	if (left)
		atomic_store_explicit(&c->crowded, left - 1, memory_order_relaxed);
	return left;
}

static void note_crowded(struct client_context *c)
{
	uint32_t next = atomic_load_explicit(&c->crowded_next, memory_order_relaxed);

	if (!next)
		next = CROWDED_WAITS;
	atomic_store_explicit(&c->crowded, next, memory_order_relaxed);
	if (next < CROWDED_WAITS_MAX)
		atomic_store_explicit(&c->crowded_next, next * 2, memory_order_relaxed);
}

/* Processors of a guest and of its host have nothing to do with each other. */
static bool needs_our_cpu(const struct client_context *c)
{
	return !c->is_guest &&
	       (int)atomic_load_explicit(client_word32(&c->host->host_cpu), memory_order_relaxed) == sched_getcpu();
}

/* Return: done. */
static bool spin(struct client_context *c, const struct client_condition *cond, uint64_t start_ns)
{
	uint32_t limit = atomic_load_explicit(&c->spin_ns, memory_order_relaxed);
	uint64_t now = start_ns, last;

	if (is_crowded(c))
		return false;
	do {
		if (needs_our_cpu(c))
			return false;
		for (int i = 0; i < SPIN_STEPS; i++) {
			if (cond->done(cond->data))
				return true;
			base_cpu_relax();
		}
		last = now;
		now = base_clock_ns();
		if (now - last > PREEMPTED_NS) {
			note_crowded(c);
			return cond->done(cond->data);
		}
	} while (now - start_ns < limit);
	atomic_store_explicit(&c->crowded_next, CROWDED_WAITS, memory_order_relaxed);
	return false;
}

/* Waits that end soon make the next ones spin a little longer than they took. */
static void learn_spin(struct client_context *c, uint64_t waited_ns)
{
	uint64_t next = waited_ns * 2;

	if (waited_ns > SPIN_MAX_NS || next < SPIN_MIN_NS)
		next = SPIN_MIN_NS;
	if (next > SPIN_MAX_NS)
		next = SPIN_MAX_NS;
	atomic_store_explicit(&c->spin_ns, (uint32_t)next, memory_order_relaxed);
}

int client_wait_for(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns)
{
	uint64_t start_ns;
	int r;

	if (client_session_is_foreign(c->session))
		return cond->done(cond->data) ? 0 : -ESHUTDOWN;
	if (cond->done(cond->data)) {
		r = 0;
	} else if (c->session->has_dear_clock) {
		r = c->session->transport->sleep(c, cond, deadline_ns);
	} else {
		start_ns = base_clock_ns();
		r = spin(c, cond, start_ns) ? 0 : c->session->transport->sleep(c, cond, deadline_ns);
		learn_spin(c, base_clock_ns() - start_ns);
	}
	client_output_drain(c->session);
	return r;
}

int client_wait(struct client_context *c, bool (*done)(void *data), void *data, int64_t deadline_ns)
{
	const struct client_condition cond = { .done = done, .data = data };

	return client_wait_for(c, &cond, deadline_ns);
}

int client_wait_asleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns)
{
	int r;

	if (client_session_is_foreign(c->session))
		return cond->done(cond->data) ? 0 : -ESHUTDOWN;
	r = cond->done(cond->data) ? 0 : c->session->transport->sleep(c, cond, deadline_ns);
	client_output_drain(c->session);
	return r;
}

/* -------------------------------------------------------------- targets */

/*
 * When the queue's first seq commands are complete, the context has completed these and what other queues had before: so it
 * is not true with fewer, in whatever order commands complete.
 */
uint64_t client_queue_target(const struct client_queue *q, uint64_t seq)
{
	return seq + atomic_load_explicit(&q->others, memory_order_relaxed);
}

bool client_context_has_targets(const struct client_context *c)
{
	return c->is_guest;
}

/* Idle: before its next command it can be told what others have completed (client_queue_count_others()). */
static void note_settled(struct client_queue *q, uint64_t seq)
{
	if (seq == atomic_load_explicit(&q->issued, memory_order_relaxed))
		atomic_store_explicit(&q->settled, seq, memory_order_relaxed);
}

struct queue_wait {
	struct client_context *c;
	struct client_queue *q;
	uint64_t seq;
};

static bool is_queue_done(void *data)
{
	const struct queue_wait *w = data;

	return client_queue_is_done(w->c, w->q, w->seq);
}

static uint64_t get_queue_target(void *data)
{
	const struct queue_wait *w = data;

	return client_queue_target(w->q, w->seq);
}

int client_queue_wait(struct client_context *c, struct client_queue *q, uint64_t seq)
{
	struct queue_wait w = { .c = c, .q = q, .seq = seq };
	const struct client_condition cond = { .done = is_queue_done, .target = get_queue_target, .data = &w };
	int r = client_wait_for(c, &cond, -1);

	if (r == 0)
		note_settled(q, seq);
	return r;
}

struct event_wait {
	struct client_context *c;
	uint64_t event;
	int32_t level;
	struct client_queue *q;
	uint64_t seq;
};

static bool is_event_there(void *data)
{
	const struct event_wait *w = data;

	return client_event_status(w->c, w->event) <= w->level;
}

static uint64_t get_event_target(void *data)
{
	const struct event_wait *w = data;

	return w->q && w->level == 0 ? client_queue_target(w->q, w->seq) : 0;
}

int client_event_wait(struct client_context *c, uint64_t event, int32_t level, struct client_queue *q, uint64_t seq,
		      int32_t *ret_status)
{
	struct event_wait w = { .c = c, .event = event, .level = level, .q = q, .seq = seq };
	const struct client_condition cond = { .done = is_event_there, .target = get_event_target, .data = &w };
	int r = client_wait_for(c, &cond, -1);

	if (ret_status)
		*ret_status = client_event_status(c, event);
	if (r == 0 && q && level == 0)
		note_settled(q, seq);
	return r;
}
