/* SPDX-License-Identifier: MIT */
/*
 * Event slots: memory that the host writes, in blocks of 4096; which slot is whose is known here only.  Blocks are
 * added and never taken away while the context lives, so that looking at a slot needs no lock.
 */
#include <errno.h>

#include "client/refuse.h"
#include "client/transport.h"

#define STATUS_QUEUED 3

void client_events_init(struct client_context *c, struct trnc_event_slot *block0)
{
	pthread_mutex_init(&c->events_lock, NULL);
	client_ids_init(&c->events, TRNC_EVENT_BLOCK_SLOTS);
	atomic_store(&c->event_blocks[0], block0);
	c->nr_event_blocks = 1;
}

void client_events_finish(struct client_context *c)
{
	client_ids_finish(&c->events);
	pthread_mutex_destroy(&c->events_lock);
}

/* With events_lock held: the next block can be added by one thread only. */
static int add_block_locked(struct client_context *c, struct trn_error *err)
{
	struct trnc_event_slot *block;
	int r;

	if (c->nr_event_blocks == TRNC_MAX_EVENT_BLOCKS)
		return client_refuse(err, -ENOBUFS, "TooManyEvents", "release events that are complete",
				     "a context has at most %u events",
				     TRNC_MAX_EVENT_BLOCKS * TRNC_EVENT_BLOCK_SLOTS);
	r = c->session->transport->block_add(c, &block, err);
	if (r < 0)
		return r;
	atomic_store_explicit(&c->event_blocks[c->nr_event_blocks], block, memory_order_release);
	c->nr_event_blocks++;
	c->events.limit += TRNC_EVENT_BLOCK_SLOTS;
	return 0;
}

uint64_t client_event_new(struct client_context *c, struct trn_error *err)
{
	uint64_t event = 0;

	if (client_context_is_lost(c)) {
		client_context_refuse_lost(c, err);
		return 0;
	}
	pthread_mutex_lock(&c->events_lock);
	if (!client_ids_is_full(&c->events) || add_block_locked(c, err) == 0) {
		event = client_ids_new(&c->events);
		if (!event)
			client_refuse_memory(err);
	}
	pthread_mutex_unlock(&c->events_lock);
	return event;
}

void client_event_free(struct client_context *c, uint64_t event)
{
	if (!event || client_session_is_foreign(c->session))
		return;
	pthread_mutex_lock(&c->events_lock);
	client_ids_free(&c->events, event);
	pthread_mutex_unlock(&c->events_lock);
}

/* A channel that a driver made is not in a forked child. */
static bool has_channel(const struct client_context *c)
{
	return !c->is_guest || !client_session_is_foreign(c->session);
}

static struct trnc_event_slot *find_slot(struct client_context *c, uint64_t event)
{
	uint32_t index = (uint32_t)event;
	uint32_t block = index / TRNC_EVENT_BLOCK_SLOTS;
	struct trnc_event_slot *slots;

	if (block >= TRNC_MAX_EVENT_BLOCKS || !has_channel(c))
		return NULL;
	slots = atomic_load_explicit(&c->event_blocks[block], memory_order_acquire);
	return slots ? &slots[index % TRNC_EVENT_BLOCK_SLOTS] : NULL;
}

int32_t client_event_status(struct client_context *c, uint64_t event)
{
	struct trnc_event_slot *slot = find_slot(c, event);
	uint64_t state;
	int32_t status;

	if (!slot)
		return STATUS_QUEUED;
	state = atomic_load_explicit(client_word64(&slot->state), memory_order_acquire);
	status = (int32_t)(uint32_t)state;
	return state >> 32 == event >> 32 && status < STATUS_QUEUED ? status : STATUS_QUEUED;
}

const struct trnc_event_slot *client_event_slot(struct client_context *c, uint64_t event)
{
	static const struct trnc_event_slot nothing;
	const struct trnc_event_slot *slot = find_slot(c, event);

	return slot ? slot : &nothing;
}

bool client_queue_is_done(struct client_context *c, const struct client_queue *q, uint64_t seq)
{
	struct trnc_event_slot *slot = find_slot(c, q->event);

	if (!slot)
		return false;
	/* A slot that was another's before shows that one's number until it shows our generation. */
	if (atomic_load_explicit(client_word64(&slot->state), memory_order_acquire) >> 32 != q->event >> 32)
		return seq == 0;
	return atomic_load_explicit(client_word64(&slot->seq), memory_order_acquire) >= seq;
}

int32_t client_queue_error(struct client_context *c, const struct client_queue *q)
{
	int32_t status = client_event_status(c, q->event);

	return status < 0 ? status : 0;
}
