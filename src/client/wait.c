/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the host: spin a little, unless it needs our CPU to go on, then sleep on the flag word itself.  A sleeper
 * wakes twice a second to see whether anybody is left to wake it.
 */
#include <errno.h>
#include <sched.h>

#include "base/futex.h"
#include "client/context.h"
#include "client/output.h"
#include "client/refuse.h"
#include "client/rpc.h"

#define SPIN_MIN_NS 20000u
#define SPIN_MAX_NS 100000u
#define SPIN_STEPS 16 /* looks between two looks at the clock */

/* These looks take below a microsecond: when it was more, somebody else ran on this processor meanwhile.  Then the next
 * waits go to sleep at once, more of them each time. */
#define PREEMPTED_NS 50000u
#define CROWDED_WAITS 16u
#define CROWDED_WAITS_MAX 1024u

#define LIFE_CHECK_NS 500000000ll

#define FAREWELL_MS 200 /* for the device's own sentence on a loss */

void client_context_wake(struct client_context *c)
{
	atomic_store(client_word32(&c->user->user_asleep), 0);
	base_futex_wake(client_word32(&c->user->user_asleep));
}

bool client_context_is_lost(const struct client_context *c)
{
	return client_session_is_gone(c->session) || atomic_load_explicit(&c->lost, memory_order_acquire) ||
	       atomic_load_explicit(client_word32(&c->host->lost), memory_order_relaxed);
}

int client_context_refuse_lost(struct client_context *c, struct trn_error *err)
{
	if (client_session_is_lost(c->session))
		return client_session_refuse_lost(c->session, err);
	return client_refuse(err, -ESHUTDOWN, "ContextLost", "make a new context",
			     "%s: the device gave this context up", c->session->device->path);
}

int client_context_blame_host(struct client_context *c, const char *text)
{
	struct trn_error why = { 0 };

	client_refuse(&why, -EPROTO, "BadHost", CLIENT_HINT_RESTART, "%s: %s", c->session->device->path, text);
	atomic_store(&c->lost, true);
	client_session_lose(c->session, &why);
	return -EPROTO;
}

bool client_context_check_lost(struct client_context *c)
{
	struct client_session *s = c->session;
	uint32_t reason;

	if (client_session_is_lost(s) || atomic_load(&c->lost))
		return true;
	reason = atomic_load(client_word32(&c->host->lost));
	if (!reason)
		return false;
	atomic_store(&c->lost, true);
	/* A bad record is this context's alone; for the rest the device says why and closes the connection. */
	if (reason != TRNC_LOST_RECORD) {
		struct trn_error why = { 0 };
		uint64_t start = base_clock_ns();

		while (!atomic_load(&s->lost) && base_clock_ns() - start < FAREWELL_MS * 1000000ull)
			client_rpc_drain(s, FAREWELL_MS);
		client_refuse(&why, -ESHUTDOWN, "ExecutorLost",
			      "a kernel may have crashed: a new context starts another executor",
			      "%s: what ran the commands of this program ended",
			      s->device->path);
		client_session_lose(s, &why); /* does nothing when the device has spoken */
	}
	return true;
}

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

/* Return: done. */
static bool spin(struct client_context *c, bool (*done)(void *data), void *data, uint64_t start_ns)
{
	uint32_t limit = atomic_load_explicit(&c->spin_ns, memory_order_relaxed);
	uint64_t now = start_ns, last;

	if (is_crowded(c))
		return false;
	do {
		uint32_t host_cpu = atomic_load_explicit(client_word32(&c->host->host_cpu), memory_order_relaxed);

		if ((int)host_cpu == sched_getcpu())
			return false;
		for (int i = 0; i < SPIN_STEPS; i++) {
			if (done(data))
				return true;
			base_cpu_relax();
		}
		last = now;
		now = base_clock_ns();
		if (now - last > PREEMPTED_NS) {
			note_crowded(c);
			return done(data);
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

/* How long to sleep, or -1 when the deadline has passed. */
static int64_t sleep_limit(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns < 0)
		return LIFE_CHECK_NS;
	left = deadline_ns - (int64_t)base_clock_ns();
	if (left <= 0)
		return -1;
	return left < LIFE_CHECK_NS ? left : LIFE_CHECK_NS;
}

/*
 * One thread at a time, the leader, sleeps on the flag; the others sleep on a number that the leader changes.  With two
 * on the flag a wake-up can be lost: one sets it, looks, and before it sleeps the host clears it and the other sets it
 * again.
 */
static void tell_followers(struct client_context *c)
{
	atomic_fetch_add(&c->sleep_round, 1);
	if (atomic_load(&c->nr_followers))
		base_futex_wake(&c->sleep_round);
}

#define LOOK_AGAIN 1

static int lead(struct client_context *c, bool (*done)(void *data), void *data, int64_t limit_ns)
{
	_Atomic uint32_t *flag = client_word32(&c->user->user_asleep);

	/* An exchange, so that it stands before the looks that follow; see base/futex.h. */
	atomic_exchange(flag, 1);
	tell_followers(c); /* whoever looked before the flag was set has to look again */
	if (done(data))
		return 0;
	if (client_context_check_lost(c))
		return -ESHUTDOWN;
	if (limit_ns < 0)
		return -ETIMEDOUT;
	if (base_futex_wait(flag, 1, limit_ns) == -ETIMEDOUT)
		client_rpc_drain(c->session, 0);
	return LOOK_AGAIN;
}

static int follow(struct client_context *c, bool (*done)(void *data), void *data, int64_t limit_ns)
{
	uint32_t round;
	int r = LOOK_AGAIN;

	atomic_fetch_add(&c->nr_followers, 1);
	round = atomic_load(&c->sleep_round);
	if (done(data))
		r = 0;
	else if (limit_ns < 0)
		r = -ETIMEDOUT;
	else if (atomic_load(&c->has_leader)) /* it will change the number, at the latest when it leaves */
		base_futex_wait(&c->sleep_round, round, limit_ns);
	atomic_fetch_sub(&c->nr_followers, 1);
	return r;
}

static int sleep_until(struct client_context *c, bool (*done)(void *data), void *data, int64_t deadline_ns)
{
	int r;

	do {
		int64_t limit_ns = sleep_limit(deadline_ns);
		bool nobody = false;

		if (atomic_compare_exchange_strong(&c->has_leader, &nobody, true)) {
			r = lead(c, done, data, limit_ns);
			if (r != LOOK_AGAIN)
				atomic_store(client_word32(&c->user->user_asleep), 0); /* spares the host a call */
			atomic_store(&c->has_leader, false);
			tell_followers(c);
		} else {
			r = follow(c, done, data, limit_ns);
		}
	} while (r == LOOK_AGAIN);
	return r;
}

int client_wait(struct client_context *c, bool (*done)(void *data), void *data, int64_t deadline_ns)
{
	uint64_t start_ns;
	int r = 0;

	if (client_session_is_foreign(c->session))
		return done(data) ? 0 : -ESHUTDOWN;
	if (!done(data)) {
		start_ns = base_clock_ns();
		if (!spin(c, done, data, start_ns))
			r = sleep_until(c, done, data, deadline_ns);
		learn_spin(c, base_clock_ns() - start_ns);
	}
	client_output_drain(c->session);
	return r;
}

int client_wait_asleep(struct client_context *c, bool (*done)(void *data), void *data, int64_t deadline_ns)
{
	int r;

	if (client_session_is_foreign(c->session))
		return done(data) ? 0 : -ESHUTDOWN;
	r = done(data) ? 0 : sleep_until(c, done, data, deadline_ns);
	client_output_drain(c->session);
	return r;
}

struct queue_wait {
	struct client_context *c;
	const struct client_queue *q;
	uint64_t seq;
};

static bool is_queue_done(void *data)
{
	const struct queue_wait *w = data;

	return client_queue_is_done(w->c, w->q, w->seq);
}

int client_queue_wait(struct client_context *c, const struct client_queue *q, uint64_t seq)
{
	struct queue_wait w = { .c = c, .q = q, .seq = seq };

	return client_wait(c, is_queue_done, &w, -1);
}

struct event_wait {
	struct client_context *c;
	uint64_t event;
	int32_t level;
};

static bool is_event_there(void *data)
{
	const struct event_wait *w = data;

	return client_event_status(w->c, w->event) <= w->level;
}

int client_event_wait(struct client_context *c, uint64_t event, int32_t level, int32_t *ret_status)
{
	struct event_wait w = { .c = c, .event = event, .level = level };
	int r = client_wait(c, is_event_there, &w, -1);

	if (ret_status)
		*ret_status = client_event_status(c, event);
	return r;
}
