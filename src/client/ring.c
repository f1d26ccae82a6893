/* SPDX-License-Identifier: MIT */
/*
 * Writing records.  One mutex a context: take it, make room, fill, publish.  Records do not wrap; the wire says what
 * stands at the end of the ring instead.  The host's numbers are checked: a consumer that runs backwards or ahead of us
 * ends the session.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/futex.h"
#include "client/transport.h"

#define QUEUE_PROFILING 2u /* CL_QUEUE_PROFILING_ENABLE; this library knows no OpenCL */

/* The host's count lies in memory that it writes all the time: looked at only when the last look does not suffice. */
static bool is_too_much_pending_locked(struct client_context *c)
{
	uint64_t done;

	if (c->nr_commands - c->nr_done < TRNC_MAX_PENDING)
		return false;
	done = atomic_load_explicit(client_word64(&c->host->commands), memory_order_relaxed);
	if (done > c->nr_done && done <= c->nr_commands)
		c->nr_done = done;
	return c->nr_commands - c->nr_done >= TRNC_MAX_PENDING;
}

bool client_context_is_quiet(struct client_context *c)
{
	bool quiet;

	if (client_session_is_foreign(c->session))
		return false;
	pthread_mutex_lock(&c->ring_lock);
	quiet = atomic_load_explicit(client_word64(&c->host->commands), memory_order_acquire) == c->nr_commands;
	pthread_mutex_unlock(&c->ring_lock);
	return quiet;
}

/* Without a look at the host's page: whoever waits finds out about the rest. */
static bool is_known_lost(const struct client_context *c)
{
	return client_session_is_gone(c->session) || atomic_load_explicit(&c->lost, memory_order_relaxed);
}

static int read_consumer_locked(struct client_context *c)
{
	uint64_t consumer = atomic_load_explicit(client_word64(&c->host->consumer), memory_order_acquire);

	if (consumer < c->consumer || consumer > c->producer)
		return -EPROTO;
	c->consumer = consumer;
	return 0;
}

/* Bytes from the producer to the end of the ring that a record of len cannot use. */
static size_t count_skip(const struct client_context *c, size_t len)
{
	size_t tail = c->ring_len - (size_t)(c->producer & (c->ring_len - 1));

	return len > tail ? tail : 0;
}

/* The host tells when half of the ring is free, however many commands that were. */
static uint64_t get_room_target(void *unused)
{
	return UINT64_MAX;
}

struct room_wait {
	struct client_context *c;
	size_t wanted;
};

static bool has_room(void *data)
{
	struct room_wait *w = data;
	uint64_t consumer = atomic_load_explicit(client_word64(&w->c->host->consumer), memory_order_acquire);
	bool is_enough;

	pthread_mutex_lock(&w->c->ring_lock);
	/* What makes no sense ends the wait, too: the caller looks closer. */
	is_enough = consumer > w->c->producer || consumer < w->c->consumer ||
		    w->c->ring_len - (w->c->producer - consumer) >= w->wanted;
	pthread_mutex_unlock(&w->c->ring_lock);
	return is_enough;
}

/* With the lock, which it drops on failure. */
static int wait_for_room_locked(struct client_context *c, size_t len)
{
	for (;;) {
		size_t need = count_skip(c, len) + len;
		/* Once full, half of it shall be free, lest the two sides wake each other for every record. */
		struct room_wait w = { .c = c, .wanted = need > c->ring_len / 2 ? need : c->ring_len / 2 };
		const struct client_condition cond = { .done = has_room, .target = get_room_target, .data = &w };
		int r;

		r = read_consumer_locked(c);
		if (r == 0 && c->ring_len - (c->producer - c->consumer) >= need)
			return 0;
		pthread_mutex_unlock(&c->ring_lock);
		if (r < 0)
			return client_context_blame_host(c, "the host's place in the ring makes no sense");
		r = client_wait_for(c, &cond, -1);
		if (r < 0)
			return r;
		pthread_mutex_lock(&c->ring_lock);
	}
}

/* Takes the lock with room for len bytes, skipping the end of the ring if need be. On failure without the lock. */
static int lock_with_room(struct client_context *c, size_t len)
{
	pthread_mutex_lock(&c->ring_lock);
	if (c->ring_len - (c->producer - c->consumer) >= count_skip(c, len) + len)
		return 0;
	return wait_for_room_locked(c, len);
}

static struct trnc_rec *place_record(struct client_context *c, enum trnc_rec_type type, size_t len)
{
	size_t skip = count_skip(c, len);
	struct trnc_rec *rec;

	if (skip >= sizeof(*rec)) {
		rec = (struct trnc_rec *)(void *)(c->ring + (c->producer & (c->ring_len - 1)));
		*rec = (struct trnc_rec){ .type = TRNC_REC_PAD, .len = (uint32_t)skip };
	}
	c->producer += skip;
	rec = (struct trnc_rec *)(void *)(c->ring + (c->producer & (c->ring_len - 1)));
	memset(rec, 0, len);
	rec->type = (uint16_t)type;
	rec->len = (uint32_t)len;
	rec->control_seq = atomic_load(&c->session->control_seq);
	c->producer += len;
	return rec;
}

int client_rec_begin(struct client_context *c, enum trnc_rec_type type, size_t len, void **ret)
{
	int r;

	if (len < sizeof(struct trnc_rec) || len > TRNC_REC_MAX || len % 8)
		return -EINVAL;
	if (is_known_lost(c))
		return -ESHUTDOWN;
	r = lock_with_room(c, len);
	if (r < 0)
		return r;
	*ret = place_record(c, type, len);
	return 0;
}

uint64_t client_rec_publish(struct client_context *c)
{
	int cpu = sched_getcpu();
	uint64_t pos = c->producer;

	if (cpu >= 0 && (uint32_t)cpu != c->published_cpu) {
		c->published_cpu = (uint32_t)cpu;
		atomic_store_explicit(client_word32(&c->user->user_cpu), (uint32_t)cpu, memory_order_relaxed);
	}
	/* Sequentially consistent, so that it stands before the look at host_asleep. */
	atomic_store(client_word64(&c->user->producer), pos);
	pthread_mutex_unlock(&c->ring_lock);
	client_ring_host(c->session, c->id, &c->user->host_asleep);
	return pos;
}

void client_rec_end(struct client_context *c)
{
	client_rec_publish(c);
}

/* Of what is complete all that the queue cannot have done is others'. At the first command after a rest that is exact. */
static void count_others_locked(struct client_context *c, struct client_queue *q)
{
	uint64_t issued = atomic_load_explicit(&q->issued, memory_order_relaxed), commands;

	if (atomic_load_explicit(&q->settled, memory_order_relaxed) != issued)
		return;
	commands = atomic_load_explicit(client_word64(&c->host->commands), memory_order_acquire);
	if (commands > issued && commands <= c->nr_commands)
		atomic_store_explicit(&q->others, commands - issued, memory_order_relaxed);
}

int client_cmd_begin(struct client_context *c, const struct client_cmd *cmd, void **ret_rec, void **ret_extra,
		     uint64_t *ret_seq)
{
	size_t waits_len = (size_t)cmd->nr_waits * sizeof(uint64_t);
	size_t len = cmd->body_len + waits_len + ((cmd->extra + 7) & ~(size_t)7);
	struct trnc_cmd *head;
	uint8_t *rec;
	int r;

	if (cmd->body_len < sizeof(*head) || cmd->body_len % 8 || cmd->nr_waits > TRNC_MAX_WAITS ||
	    cmd->extra > TRNC_REC_MAX || len > TRNC_REC_MAX)
		return -EINVAL;
	if (is_known_lost(c))
		return -ESHUTDOWN;
	r = lock_with_room(c, len);
	if (r < 0)
		return r;
	if (is_too_much_pending_locked(c)) {
		pthread_mutex_unlock(&c->ring_lock);
		return -ENOBUFS;
	}
	if (c->is_guest)
		count_others_locked(c, cmd->queue);
	c->nr_commands++;

	head = (struct trnc_cmd *)(void *)place_record(c, cmd->type, len);
	head->queue = cmd->queue->handle;
	head->seq = atomic_load_explicit(&cmd->queue->issued, memory_order_relaxed) + 1;
	atomic_store_explicit(&cmd->queue->issued, head->seq, memory_order_release);
	head->event = cmd->event;
	/* Nobody can ask a command without an event, or in a queue that keeps no times. */
	head->queued_ns = cmd->event && cmd->queue->properties & QUEUE_PROFILING ? client_clock_ns(c) : 0;
	head->nr_waits = cmd->nr_waits;

	rec = (uint8_t *)head;
	if (waits_len)
		memcpy(rec + cmd->body_len, cmd->waits, waits_len);
	if (ret_seq)
		*ret_seq = head->seq;
	*ret_rec = rec;
	if (ret_extra)
		*ret_extra = rec + cmd->body_len + waits_len;
	return 0;
}

bool client_wait_read(struct client_context *c, uint64_t timeout_ns)
{
	const struct timespec nap = { .tv_nsec = 20000 };
	uint64_t start = base_clock_ns(), pos;

	if (client_session_is_foreign(c->session))
		return false;
	pthread_mutex_lock(&c->ring_lock);
	pos = c->producer;
	pthread_mutex_unlock(&c->ring_lock);
	/* Nobody is woken when the host reads on. */
	while (atomic_load(client_word64(&c->host->consumer)) < pos) {
		if (base_clock_ns() - start > timeout_ns || client_context_is_lost(c))
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}
