/* SPDX-License-Identifier: MIT */
/*
 * The control rings.  All that the guest writes there is copied once and then checked.  Each request that was taken gets
 * one reply; what the ring of replies has no room for waits in a list, and while that is long, nothing more is taken.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "parents/compute/face.h"

#define BUDGET 64u     /* requests, before the rest of the loop gets its turn */
#define MAX_WAITING 64u /* replies, while requests are taken */
#define MAX_OPEN (2 * FACE_SESSIONS * COMPUTE_PENDING_MAX) /* requests that the executors and the worker have: more than all sessions may */
#define AGAIN_US 2000u

struct waiting_reply {
	struct base_list node;
	uint32_t session;
	size_t len;
	uint8_t packet[];
};

static struct trnc_control_guest *guest_of(const struct compute_face *f)
{
	return (struct trnc_control_guest *)(void *)(f->memory + TRNC_CONTROL_GUEST);
}

static struct trnc_control_host *host_of(const struct compute_face *f)
{
	return (struct trnc_control_host *)(void *)(f->memory + TRNC_CONTROL_HOST);
}

static struct trnc_control_slot *slot_at(const struct compute_face *f, uint64_t ring, uint64_t position)
{
	uint64_t offset = ring + position % TRNC_CONTROL_SLOTS * TRNC_CONTROL_SLOT_SIZE;

	return (struct trnc_control_slot *)(void *)(f->memory + offset);
}

static uint64_t load(const __le64 *from)
{
	return atomic_load((const _Atomic uint64_t *)from);
}

static void store(__le64 *to, uint64_t value)
{
	atomic_store((_Atomic uint64_t *)to, value);
}

/* What waits for a context's ring to be read may wait for ever. It is bounded by the number of segments, and nobody else is held up. */
static bool is_counted(uint32_t type)
{
	return (type & ~TRNC_MSG_REPLY) != TRNC_MSG_SEGMENT_DESTROY && (type & ~TRNC_MSG_REPLY) != TRNC_MSG_SHARED_DETACH;
}

/* --------------------------------------------------------------- replies */

/* Return: is there room for one? */
static bool has_room(struct compute_face *f)
{
	uint64_t consumer;

	if (f->reply_producer - f->reply_consumer < TRNC_CONTROL_SLOTS)
		return true;
	consumer = load(&guest_of(f)->reply_consumer);
	if (consumer < f->reply_consumer || consumer > f->reply_producer) {
		compute_face_fail(f, "its position in the ring of replies cannot be");
		return false;
	}
	f->reply_consumer = consumer;
	return f->reply_producer - consumer < TRNC_CONTROL_SLOTS;
}

static void put(struct compute_face *f, uint32_t session, const void *packet, size_t len)
{
	struct trnc_control_slot *slot = slot_at(f, TRNC_CONTROL_REPLIES, f->reply_producer);

	slot->session = session;
	slot->reserved = 0;
	memcpy(&slot->msg, packet, len);
	store(&host_of(f)->reply_producer, ++f->reply_producer);
}

static void drop(struct compute_face *f, struct waiting_reply *w)
{
	base_list_remove(&w->node);
	f->nr_replies--;
	free(w);
}

/* Who reads a full ring rings a bell; but he may have looked before it was full, so that we look again by ourselves, too. */
static void look_again(const struct compute_face *f)
{
	(void)sd_event_source_set_time_relative(f->again, AGAIN_US);
	(void)sd_event_source_set_enabled(f->again, SD_EVENT_ONESHOT);
}

static void flush(struct compute_face *f)
{
	unsigned int nr = 0;

	while (!base_list_is_empty(&f->replies) && has_room(f)) {
		struct waiting_reply *w = base_container_of(f->replies.next, struct waiting_reply, node);

		put(f, w->session, w->packet, w->len);
		drop(f, w);
		nr++;
	}
	if (nr)
		compute_face_fire(f, 0);
	if (!base_list_is_empty(&f->replies))
		look_again(f);
}

static void wait_for_room(struct compute_face *f, uint32_t session, const void *packet, size_t len)
{
	struct waiting_reply *w = malloc(sizeof(*w) + len);

	if (!w) {
		compute_face_fail(f, "there is no memory left for replies to it");
		return;
	}
	w->session = session;
	w->len = len;
	memcpy(w->packet, packet, len);
	base_list_append(&f->replies, &w->node);
	f->nr_replies++;
	look_again(f);
}

void compute_ring_send(struct compute_face *f, uint32_t session, const void *packet, size_t len)
{
	const struct trnc_msg *m = packet;

	if (f->nr_open && m->type & TRNC_MSG_REPLY && is_counted(m->type))
		f->nr_open--;
	if (f->is_over || len > TRNC_CONTROL_SLOT_SIZE - offsetof(struct trnc_control_slot, msg))
		return;
	if (base_list_is_empty(&f->replies) && has_room(f)) {
		put(f, session, packet, len);
		compute_face_fire(f, 0);
	} else {
		wait_for_room(f, session, packet, len);
	}
}

void compute_ring_refuse(struct compute_face *f, uint32_t session, const struct trnc_msg *m, const struct trn_error *err)
{
	_Alignas(8) uint8_t packet[FACE_REPLY_MAX];

	compute_make_refusal(m->type, m->id, err, packet);
	compute_ring_send(f, session, packet, sizeof(packet));
}

void compute_ring_clear(struct compute_face *f)
{
	struct waiting_reply *w, *next;

	base_list_for_each_safe(w, next, &f->replies, node)
		drop(f, w);
	f->nr_open = 0;
	f->request_consumer = f->reply_producer = f->reply_consumer = 0;
}

/* -------------------------------------------------------------- requests */

static void refuse(struct compute_face *f, uint32_t session, const struct trnc_msg *m, int code, const char *name,
		   const char *text)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, code, name, "%s", text);
	compute_ring_refuse(f, session, m, &err);
}

static void handle(struct compute_face *f, const struct trnc_control_slot *slot)
{
	const struct trnc_msg *m = &slot->msg;

	if (slot->reserved || m->len < sizeof(*m) || m->len > sizeof(*m) + sizeof(slot->body) || m->len % 8)
		refuse(f, slot->session, m, -EBADMSG, "BadPacket", "a slot does not hold a message");
	else if (slot->session > FACE_SESSIONS)
		refuse(f, slot->session, m, -ENOENT, "NoSession", "there is no slot for that many sessions");
	else if (slot->session)
		compute_slot_handle(f, slot->session, m, slot->body);
	else
		compute_shared_handle(f, m, slot->body);
}

/* Return: was there one? */
static bool take_one(struct compute_face *f)
{
	uint64_t producer = load(&guest_of(f)->request_producer);
	struct trnc_control_slot slot;

	if (producer < f->request_consumer || producer - f->request_consumer > TRNC_CONTROL_SLOTS) {
		compute_face_fail(f, "its position in the ring of requests cannot be");
		return false;
	}
	if (producer == f->request_consumer || f->nr_replies >= MAX_WAITING || f->nr_open >= MAX_OPEN)
		return false;
	memcpy(&slot, slot_at(f, TRNC_CONTROL_REQUESTS, f->request_consumer), sizeof(slot));
	atomic_thread_fence(memory_order_seq_cst); /* the copy is complete before its place may be used again */
	store(&host_of(f)->request_consumer, ++f->request_consumer);
	f->nr_open += is_counted(slot.msg.type);
	handle(f, &slot);
	return true;
}

void compute_ring_work(struct compute_face *f)
{
	unsigned int nr = 0;

	flush(f);
	while (nr < BUDGET && take_one(f))
		nr++;
	if (nr == BUDGET)
		compute_face_ring_loop(f);
	/* Requests that were not taken are taken when there is room for replies, which nobody rings for. */
	else if (f->nr_open >= MAX_OPEN)
		look_again(f);
}
