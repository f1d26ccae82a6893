/* SPDX-License-Identifier: MIT */
/* The reading side of a ring, as the wire says it. */
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "fake_device.h"

static struct trnc_user_page *user_page(struct fake_context *c)
{
	return (struct trnc_user_page *)(void *)(c->channel + TRNC_CHANNEL_USER);
}

static struct trnc_host_page *host_page(struct fake_context *c)
{
	return (struct trnc_host_page *)(void *)(c->channel + TRNC_CHANNEL_HOST);
}

static struct trnc_event_slot *slot_of(struct fake_context *c, uint64_t event)
{
	uint32_t index = (uint32_t)event;
	struct trnc_event_slot *block = atomic_load(&c->blocks[index / TRNC_EVENT_BLOCK_SLOTS]);

	if (!block)
		fake_fail(c->fake, "event %llx is in no block", (unsigned long long)event);
	return block ? &block[index % TRNC_EVENT_BLOCK_SLOTS] : NULL;
}

static void set_state(struct fake_context *c, uint64_t event, int32_t status)
{
	struct trnc_event_slot *slot = slot_of(c, event);

	if (slot)
		atomic_store((_Atomic uint64_t *)&slot->state, event >> 32 << 32 | (uint32_t)status);
}

static void set_seq(struct fake_context *c, uint64_t event, uint64_t seq)
{
	struct trnc_event_slot *slot = slot_of(c, event);

	if (slot)
		atomic_store((_Atomic uint64_t *)&slot->seq, seq);
}

/* A guest's driver looks by itself whether the count of commands has moved. */
static void tell_completed(struct fake_context *c)
{
	if (!c->is_guest)
		base_futex_signal((_Atomic uint32_t *)&user_page(c)->user_asleep);
}

static void tell_consumed(struct fake_context *c, uint64_t before, uint64_t now)
{
	if (!c->is_guest)
		base_futex_signal((_Atomic uint32_t *)&user_page(c)->user_asleep);
	else if (before / (c->ring_len / 4) != now / (c->ring_len / 4))
		atomic_fetch_add((_Atomic uint64_t *)&host_page(c)->attention, 1);
}

static void complete(struct fake_context *c, const struct fake_held *h)
{
	if (h->event)
		set_state(c, h->event, 0);
	if (h->queue_event) {
		set_seq(c, h->queue_event, h->seq);
		atomic_fetch_add((_Atomic uint64_t *)&host_page(c)->commands, 1);
	} else if (c->is_guest) {
		atomic_fetch_add((_Atomic uint64_t *)&host_page(c)->attention, 1);
	}
	tell_completed(c);
}

/* Completes at once or keeps it for fake_release(): what is told to hold no more keeps nothing that comes after a release. */
static void finish(struct fake_context *c, struct fake_held h, const _Atomic bool *hold)
{
	if (!atomic_load(hold)) {
		complete(c, &h);
		return;
	}
	pthread_mutex_lock(&c->fake->lock);
	if (!atomic_load(hold)) {
		pthread_mutex_unlock(&c->fake->lock);
		complete(c, &h);
		return;
	}
	if (c->nr_held == c->held_cap) {
		c->held_cap = c->held_cap ? c->held_cap * 2 : 64;
		c->held = reallocarray(c->held, c->held_cap, sizeof(*c->held));
	}
	c->held[c->nr_held++] = h;
	pthread_mutex_unlock(&c->fake->lock);
}

size_t fake_release(struct fake *f, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (int i = 1; i < FAKE_CONTEXTS; i++) {
		struct fake_context *c = &f->contexts[i];
		size_t here = c->nr_held < max - n ? c->nr_held : max - n;

		for (size_t k = 0; k < here; k++)
			complete(c, &c->held[k]);
		if (here)
			memmove(c->held, c->held + here, (c->nr_held - here) * sizeof(*c->held));
		c->nr_held -= here;
		n += here;
	}
	pthread_mutex_unlock(&f->lock);
	return n;
}

static struct fake_queue *find_queue(struct fake_context *c, uint64_t handle)
{
	for (int i = 0; i < FAKE_QUEUES; i++)
		if (c->queues[i].handle == handle)
			return &c->queues[i];
	return NULL;
}

static void run_command(struct fake_context *c, const struct trnc_cmd *cmd)
{
	struct fake_queue *q = cmd->queue ? find_queue(c, cmd->queue) : NULL;
	size_t min = sizeof(*cmd) + cmd->nr_waits * 8ull;

	if (!q || cmd->seq != q->seq + 1 || cmd->rec.len < min) {
		fake_fail(c->fake, "command: queue %llx seq %llu", (unsigned long long)cmd->queue,
			  (unsigned long long)cmd->seq);
		return;
	}
	q->seq++;
	atomic_fetch_add(&c->fake->nr_commands, 1);
	finish(c, (struct fake_held){ .event = cmd->event, .queue_event = q->event, .seq = cmd->seq },
	       &c->fake->hold_commands);
}

static void run_record(struct fake_context *c, const struct trnc_rec *rec)
{
	struct fake_queue *q;

	if (rec->type >= TRNC_REC_NDRANGE) {
		run_command(c, (const struct trnc_cmd *)(const void *)rec);
		return;
	}
	if (rec->type == TRNC_REC_QUEUE_CREATE) {
		const struct trnc_rec_queue_create *r = (const void *)rec;

		q = find_queue(c, 0);
		if (!q) {
			fake_fail(c->fake, "too many queues");
			return;
		}
		*q = (struct fake_queue){ .handle = r->queue, .event = r->event };
		set_seq(c, r->event, 0);
		set_state(c, r->event, 0);
	} else if (rec->type == TRNC_REC_QUEUE_DESTROY) {
		q = find_queue(c, ((const struct trnc_rec_object *)(const void *)rec)->handle);
		if (q)
			*q = (struct fake_queue){ 0 };
	} else if (rec->type == TRNC_REC_BUFFER_DESTROY) {
		uint64_t event = ((const struct trnc_rec_buffer_destroy *)(const void *)rec)->event;

		if (event)
			finish(c, (struct fake_held){ .event = event }, &c->fake->hold_destroys);
	}
}

/* One step at position pos. Return: bytes, or 0 when the record makes no sense. */
static size_t step(struct fake_context *c, uint64_t pos, uint64_t producer)
{
	size_t at = pos % c->ring_len, left = c->ring_len - at;
	const uint8_t *ring = c->channel + TRNC_CHANNEL_RING;

	if (left == 8) {
		atomic_fetch_add(&c->fake->nr_skips, 1);
		return 8;
	}
	memcpy(&c->copy.rec, ring + at, sizeof(c->copy.rec));
	if (c->copy.rec.type == TRNC_REC_PAD) {
		atomic_fetch_add(&c->fake->nr_pads, 1);
		return c->copy.rec.len == left ? left : 0;
	}
	if (c->copy.rec.len < sizeof(c->copy.rec) || c->copy.rec.len % 8 || c->copy.rec.len > left ||
	    c->copy.rec.len > producer - pos || c->copy.rec.len > TRNC_REC_MAX || c->copy.rec.flags ||
	    c->copy.rec.control_seq > atomic_load(&c->fake->control_seq))
		return 0;
	memcpy(c->copy.bytes, ring + at, c->copy.rec.len);
	atomic_fetch_add(&c->fake->nr_records, 1);
	run_record(c, &c->copy.rec);
	return c->copy.rec.len;
}

void *fake_run_context(void *context)
{
	struct fake_context *c = context;
	_Atomic uint32_t *flag = (_Atomic uint32_t *)&user_page(c)->host_asleep;
	uint64_t pos = 0;

	/* Not the CPU of anybody: the client may spin. */
	atomic_store((_Atomic uint32_t *)&host_page(c)->host_cpu, UINT32_MAX - 1);
	while (!atomic_load(&c->stop)) {
		uint64_t producer = atomic_load((_Atomic uint64_t *)&user_page(c)->producer);
		size_t n;

		if (producer == pos || atomic_load(&c->fake->stop_reading)) {
			atomic_exchange(flag, 1);
			if (!atomic_load(&c->stop) &&
			    (atomic_load(&c->fake->stop_reading) ||
			     atomic_load((_Atomic uint64_t *)&user_page(c)->producer) == pos))
				base_futex_wait(flag, 1, 20000000); /* stop_reading has no wake-up of its own */
			continue;
		}
		n = step(c, pos, producer);
		if (!n) {
			fake_fail(c->fake, "bad record at %llu", (unsigned long long)pos);
			break;
		}
		pos += n;
		atomic_store(&c->consumer, pos);
		atomic_store((_Atomic uint64_t *)&host_page(c)->consumer, pos);
		tell_consumed(c, pos - n, pos);
	}
	return NULL;
}
