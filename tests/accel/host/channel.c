/* SPDX-License-Identifier: MIT */
/* The reading side of a ring: heads are checked, commands complete at once. */
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "base/thread.h"
#include "fake.h"

static struct trnc_user_page *user_page(const struct fake_channel *c)
{
	return (void *)(c->memory + TRNC_CHANNEL_USER);
}

static struct trnc_host_page *host_page(const struct fake_channel *c)
{
	return (void *)(c->memory + TRNC_CHANNEL_HOST);
}

static struct trnc_kernel_page *kernel_page(const struct fake_channel *c)
{
	return (void *)(c->memory + TRNC_CHANNEL_KERNEL);
}

static void set64(__le64 *word, uint64_t value)
{
	atomic_store((_Atomic uint64_t *)word, value);
}

static struct trnc_event_slot *slot_of(struct fake_channel *c, uint64_t event)
{
	uint32_t index = (uint32_t)event;
	uint8_t *block;

	if (index / TRNC_EVENT_BLOCK_SLOTS >= TRNC_MAX_EVENT_BLOCKS)
		return NULL;
	block = atomic_load(&c->blocks[index / TRNC_EVENT_BLOCK_SLOTS]);
	return block ? (struct trnc_event_slot *)(void *)block + index % TRNC_EVENT_BLOCK_SLOTS : NULL;
}

static void set_state(struct fake_channel *c, uint64_t event, int32_t status)
{
	struct trnc_event_slot *slot = event ? slot_of(c, event) : NULL;

	if (slot)
		set64(&slot->state, event >> 32 << 32 | (uint32_t)status);
}

static void set_seq(struct fake_channel *c, uint64_t event, uint64_t seq)
{
	struct trnc_event_slot *slot = event ? slot_of(c, event) : NULL;

	if (slot)
		set64(&slot->seq, seq);
}

/* The rule of waking: the guest's kernel sleeps, and what it waits for has come. */
static void wake_guest(struct fake_channel *c, bool is_attention)
{
	struct trnc_kernel_page *kernel = kernel_page(c);
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&kernel->kernel_asleep;
	uint32_t expected = TRNC_KERNEL_ASLEEP;

	if (atomic_load(asleep) != TRNC_KERNEL_ASLEEP)
		return;
	if (!is_attention && atomic_load((_Atomic uint64_t *)&host_page(c)->commands) <
				     atomic_load((_Atomic uint64_t *)&kernel->wake_at))
		return;
	/* A device with an executor has two steps here: the executor takes it, the device process sends the interrupt. */
	if (atomic_compare_exchange_strong(asleep, &expected, TRNC_KERNEL_WAKING)) {
		atomic_exchange(asleep, TRNC_KERNEL_AWAKE);
		fake_wake_session(c->fake, c->session);
	}
}

void fake_channel_attention(struct fake_channel *c)
{
	atomic_fetch_add((_Atomic uint64_t *)&host_page(c)->attention, 1);
	wake_guest(c, true);
}

void fake_channel_lose(struct fake_channel *c, enum trnc_lost reason)
{
	atomic_store((_Atomic uint32_t *)&host_page(c)->lost, (uint32_t)reason);
	fake_channel_attention(c);
}

static void run_command(struct fake_channel *c, const struct trnc_cmd *cmd)
{
	atomic_fetch_add(&c->fake->nr_commands, 1);
	if (cmd->rec.type == TRNC_REC_CLIENT) {
		set_state(c, cmd->event, 1);
		fake_channel_attention(c);
	} else {
		set_state(c, cmd->event, 0);
	}
	for (uint32_t i = 0; i < FAKE_QUEUES; i++)
		if (cmd->queue && c->queues[i].handle == cmd->queue)
			set_seq(c, c->queues[i].event, c->queues[i].seq = cmd->seq);
	atomic_fetch_add((_Atomic uint64_t *)&host_page(c)->commands, 1);
	wake_guest(c, false);
}

static void create_queue(struct fake_channel *c, const struct trnc_rec_queue_create *r)
{
	for (uint32_t i = 0; i < FAKE_QUEUES; i++)
		if (!c->queues[i].handle) {
			c->queues[i].handle = r->queue;
			c->queues[i].event = r->event;
			set_seq(c, r->event, 0);
			set_state(c, r->event, 0);
			return;
		}
}

static void destroy_queue(struct fake_channel *c, uint64_t handle)
{
	for (uint32_t i = 0; i < FAKE_QUEUES; i++)
		if (c->queues[i].handle == handle)
			c->queues[i].handle = 0;
}

static void set_user_event(struct fake_channel *c, uint64_t event, int32_t status)
{
	set_state(c, event, status);
	fake_channel_attention(c);
}

/* buf: a copy of the record, len bytes. */
static void run_record(struct fake_channel *c, const void *buf, uint32_t len)
{
	const struct trnc_rec *rec = buf;

	if (rec->type >= TRNC_REC_NDRANGE && len >= sizeof(struct trnc_cmd))
		run_command(c, buf);
	else if (rec->type == TRNC_REC_QUEUE_CREATE && len == sizeof(struct trnc_rec_queue_create))
		create_queue(c, buf);
	else if (rec->type == TRNC_REC_QUEUE_DESTROY && len == sizeof(struct trnc_rec_object))
		destroy_queue(c, ((const struct trnc_rec_object *)buf)->handle);
	else if (rec->type == TRNC_REC_BUFFER_DESTROY && len == sizeof(struct trnc_rec_buffer_destroy))
		set_state(c, ((const struct trnc_rec_buffer_destroy *)buf)->event, 0);
	else if (rec->type == TRNC_REC_USER_EVENT_CREATE && len == sizeof(struct trnc_rec_object))
		set_state(c, ((const struct trnc_rec_object *)buf)->handle, 2);
	else if (rec->type == TRNC_REC_USER_EVENT_SET && len == sizeof(struct trnc_rec_user_event_set))
		set_user_event(c, ((const struct trnc_rec_user_event_set *)buf)->event,
			       ((const struct trnc_rec_user_event_set *)buf)->status);
}

/* One record, or what is skipped before the ring's end. Return: bytes; 0: nobody can read past this. */
static uint64_t step(struct fake_channel *c, uint64_t pos, uint64_t producer, void *buf)
{
	uint64_t at = pos % c->ring_len, left = c->ring_len - at, there = producer - pos;
	const uint8_t *ring = c->memory + TRNC_CHANNEL_RING;
	struct trnc_rec rec;

	if (left == 8)
		return there >= 8 ? 8 : 0;
	if (there < sizeof(rec))
		return 0;
	memcpy(&rec, ring + at, sizeof(rec));
	if (rec.len < sizeof(rec) || rec.len % 8 || rec.len > left || rec.len > there || rec.flags)
		return 0;
	if (rec.type == TRNC_REC_PAD)
		return rec.len == left ? rec.len : 0;
	if (rec.len > TRNC_REC_MAX)
		return 0;
	memcpy(buf, ring + at, rec.len);
	memcpy(buf, &rec, sizeof(rec));
	run_record(c, buf, rec.len);
	return rec.len;
}

/* Reads up to the producer. Return: false: the ring is beyond help. */
static bool drain(struct fake_channel *c, void *buf)
{
	uint64_t producer = atomic_load((_Atomic uint64_t *)&user_page(c)->producer), pos = atomic_load(&c->consumer);

	if (producer - pos > c->ring_len || producer % 8)
		return false;
	while (pos != producer && !atomic_load(&c->stop)) {
		uint64_t n = step(c, pos, producer, buf), half = c->ring_len / 2;

		if (n == 0)
			return false;
		atomic_store(&c->consumer, pos + n);
		set64(&host_page(c)->consumer, pos + n);
		if (pos / half != (pos + n) / half)
			fake_channel_attention(c);
		pos += n;
	}
	return true;
}

static bool has_news(struct fake_channel *c)
{
	return !atomic_load(&c->fake->hold) &&
	       atomic_load((_Atomic uint64_t *)&user_page(c)->producer) != atomic_load(&c->consumer);
}

/* Only a doorbell ends it, so that a driver that forgets one is found out; but the end of "hold" rings nobody,
 * and chaos overwrites what is slept on. */
static void sleep_until_news(struct fake_channel *c)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&user_page(c)->host_asleep;
	bool is_loose = atomic_load(&c->fake->hold) || atomic_load(&c->fake->fault.nr_chaos);

	atomic_exchange(asleep, 1);
	if (!has_news(c) && !atomic_load(&c->stop))
		(void)base_futex_wait(asleep, 1, is_loose ? 50000000 : -1);
	atomic_exchange(asleep, 0);
}

static void *run(void *arg)
{
	struct fake_channel *c = arg;
	void *buf = malloc(TRNC_REC_MAX);

	while (buf && !atomic_load(&c->stop)) {
		if (!has_news(c)) {
			sleep_until_news(c);
		} else if (!drain(c, buf)) {
			fake_channel_lose(c, TRNC_LOST_RECORD);
			break;
		}
	}
	free(buf);
	return NULL;
}

int fake_channel_start(struct fake_channel *c)
{
	host_page(c)->generation = 1;
	return base_thread_start(&c->thread, run, c);
}

void fake_channel_stop(struct fake_channel *c)
{
	atomic_store(&c->stop, true);
	fake_ring_doorbell((_Atomic uint32_t *)&user_page(c)->host_asleep);
	pthread_join(c->thread, NULL);
}

void fake_ring_doorbell(_Atomic uint32_t *host_asleep)
{
	atomic_store(host_asleep, 0);
	base_futex_wake(host_asleep);
}
