/* SPDX-License-Identifier: MIT */
/* Threads that write where the driver reads. A host is free to: all of it is shared memory. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/thread.h"
#include "fake.h"
#include "fault.h"

static void set64(struct fake *f, uint64_t at, uint64_t value)
{
	atomic_store((_Atomic uint64_t *)(void *)(f->aperture + at), value);
}

static uint64_t get64(struct fake *f, uint64_t at)
{
	return atomic_load((_Atomic uint64_t *)(void *)(f->aperture + at));
}

/* Another value for a moment: what was checked may be read again. */
static void flicker(struct fake *f, uint64_t at, uint64_t *rng)
{
	uint64_t old = get64(f, at);

	set64(f, at, fault_odd_number(rng));
	if (fault_random(rng) % 2)
		base_cpu_relax();
	else
		usleep((useconds_t)(fault_random(rng) % 200));
	if (fault_random(rng) % 8)
		set64(f, at, old);
}

/* Heads of slots more than their bodies. */
static uint64_t some_slot(uint64_t ring, uint64_t *rng)
{
	uint64_t slot = fault_random(rng) % TRNC_CONTROL_SLOTS, word = fault_random(rng) % (fault_random(rng) % 2 ? 4 : 12);

	return ring + slot * TRNC_CONTROL_SLOT_SIZE + word * 8;
}

static void replies(struct fake *f, uint64_t *rng)
{
	flicker(f, some_slot(TRNC_CONTROL_REPLIES, rng), rng);
}

/* What the guest has written: it must not believe that it is still there. */
static void requests(struct fake *f, uint64_t *rng)
{
	if (fault_random(rng) % 2)
		flicker(f, some_slot(TRNC_CONTROL_REQUESTS, rng), rng);
	else
		flicker(f, TRNC_CONTROL_GUEST + fault_random(rng) % 2 * 64, rng);
}

static void positions(struct fake *f, uint64_t *rng)
{
	flicker(f, TRNC_CONTROL_HOST + fault_random(rng) % 2 * 64, rng);
	fake_fire(f, 0);
}

static uint64_t pending_of(uint64_t vector)
{
	return TRNC_CONTROL_PENDING + vector * sizeof(struct trnc_control_pending);
}

/* Interrupts for everybody, for sessions that are not there, and for nobody. */
static void storm(struct fake *f, uint64_t *rng)
{
	uint64_t vector = fault_random(rng) % FAKE_VECTORS;

	if (fault_random(rng) % 4)
		set64(f, pending_of(vector), fault_random(rng) % 2 ? UINT64_MAX : fault_random(rng));
	fake_fire(f, (uint32_t)vector);
}

/* A channel that is there. Return: its user page in the aperture, or NULL. */
static uint8_t *some_channel(struct fake *f, uint64_t *rng)
{
	for (int i = 0; i < 64; i++) {
		const struct fake_session *s = &f->sessions[1 + fault_random(rng) % (i < 32 ? 4 : FAKE_SESSIONS)];
		uint32_t *asleep = atomic_load(&s->host_asleep[1 + fault_random(rng) % (i < 32 ? 4 : TRNC_MAX_CONTEXTS)]);

		if (asleep)
			return (uint8_t *)asleep - offsetof(struct trnc_user_page, host_asleep);
	}
	return NULL;
}

#define USER(field) (TRNC_CHANNEL_USER + offsetof(struct trnc_user_page, field))
#define HOST(field) (TRNC_CHANNEL_HOST + offsetof(struct trnc_host_page, field))
#define KERNEL(field) (TRNC_CHANNEL_KERNEL + offsetof(struct trnc_kernel_page, field))

static void pages(struct fake *f, uint64_t *rng)
{
	static const uint32_t words[] = {
		HOST(consumer), HOST(lost), HOST(refused), HOST(commands), HOST(attention), HOST(attention),
		KERNEL(kernel_asleep), KERNEL(wake_at), USER(kicks), USER(host_asleep), USER(producer),
	};
	uint8_t *user = some_channel(f, rng);
	uint64_t at;

	if (!user)
		return;
	at = (uint64_t)(user - f->aperture) + words[fault_random(rng) % (sizeof(words) / sizeof(words[0]))];
	flicker(f, at / 8 * 8, rng);
}

/* Attention alone, and told of: waits end all the time. */
static void attention(struct fake *f, uint64_t *rng)
{
	uint8_t *user = some_channel(f, rng);

	if (user)
		set64(f, (uint64_t)(user - f->aperture) + HOST(attention), fault_random(rng));
	set64(f, pending_of(fault_random(rng) % FAKE_VECTORS), UINT64_MAX);
	fake_fire(f, (uint32_t)(fault_random(rng) % FAKE_VECTORS));
}

/* All ones for a while. */
static void ones(struct fake *f, uint64_t *rng)
{
	usleep((useconds_t)(fault_random(rng) % 200000));
	atomic_store(&f->fault.ones, true);
	usleep((useconds_t)(fault_random(rng) % 100000));
	atomic_store(&f->fault.ones, false);
}

static void status(struct fake *f, uint64_t *rng)
{
	uint32_t right = atomic_load(&f->status);

	atomic_store(&f->status, fault_random(rng) % 4 ? (uint32_t)fault_random(rng) % 64 : UINT32_MAX);
	fake_fire(f, 0);
	usleep((useconds_t)(fault_random(rng) % 2000));
	atomic_store(&f->status, right);
	usleep((useconds_t)(fault_random(rng) % 100000));
}

static void probe(struct fake *f, uint64_t *rng)
{
	if (fault_random(rng) % 2)
		atomic_store(&f->probe_len, (uint32_t)fault_odd_number(rng));
	for (int i = 0; i < 64; i++)
		set64(f, FAKE_PROBE_OFFSET + fault_random(rng) % 64 * 8, fault_random(rng));
}

/* News of ends: of sessions that are there or not, twice, with text of any bytes. */
static void lost(struct fake *f, uint64_t *rng)
{
	struct trnc_control_slot slot = {
		.session = (uint32_t)(fault_random(rng) % 4 ? fault_random(rng) % 6 : fault_odd_number(rng)),
		.msg = { .type = TRNC_MSG_SESSION_LOST, .len = sizeof(slot.msg) + sizeof(struct trnc_error_body) },
	};

	for (size_t i = 0; i < sizeof(struct trnc_error_body); i++)
		slot.body[i] = (uint8_t)(fault_random(rng) % 255 + 1);
	for (uint64_t n = fault_random(rng) % 3 + 1; n; n--)
		fake_put_raw(f, &slot);
	usleep((useconds_t)(fault_random(rng) % 50000));
}

/* Replies that nobody waits for. */
static void babble(struct fake *f, uint64_t *rng)
{
	struct trnc_control_slot slot = {
		.session = (uint32_t)(fault_random(rng) % 5),
		.msg = { .type = (uint32_t)(fault_random(rng) % 40) | TRNC_MSG_REPLY,
			 .len = sizeof(slot.msg) + (uint32_t)(fault_random(rng) % 8 * 8),
			 .id = fault_random(rng) % 4 ? fault_random(rng) % 1000 : fault_odd_number(rng) },
	};

	fake_put_raw(f, &slot);
	usleep((useconds_t)(fault_random(rng) % 50000));
}

/* Anywhere. */
static void memory(struct fake *f, uint64_t *rng)
{
	uint64_t at = fault_random(rng) % f->size;
	uint8_t *user = fault_random(rng) % 2 ? some_channel(f, rng) : NULL;

	if (user)
		at = (uint64_t)(user - f->aperture) + fault_random(rng) % (64 << 10);
	set64(f, at / 8 * 8 < f->size ? at / 8 * 8 : 0, fault_random(rng));
}

static const struct {
	const char *name;
	void (*step)(struct fake *f, uint64_t *rng);
} kinds[] = {
	{ "replies", replies }, { "requests", requests }, { "positions", positions }, { "storm", storm }, { "pages", pages },
	{ "attention", attention }, { "ones", ones }, { "status", status }, { "probe", probe }, { "lost", lost },
	{ "babble", babble }, { "memory", memory },
};

static void *run(void *arg)
{
	struct fault_chaos *c = arg;

	while (!atomic_load(&c->fake->fault.stop)) {
		c->step(c->fake, &c->rng);
		usleep(atomic_load(&c->fake->fault.pause_us));
	}
	return NULL;
}

static bool start_one(struct fake *f, void (*step)(struct fake *f, uint64_t *rng), uint64_t seed)
{
	for (uint32_t i = 0; i < FAULT_CHAOS; i++) {
		struct fault_chaos *c = &f->fault.chaos[i];

		if (c->is_used)
			continue;
		*c = (struct fault_chaos){ .fake = f, .rng = seed * 2 + 1, .step = step };
		c->is_used = base_thread_start(&c->thread, run, c) == 0;
		atomic_fetch_add(&f->fault.nr_chaos, 1);
		return c->is_used;
	}
	return false;
}

bool fault_chaos_start(struct fake *f, const char *kind, uint64_t seed)
{
	bool is_done = false;

	atomic_store(&f->fault.stop, false);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i].name) || !strcmp(kind, "all"))
			is_done = start_one(f, kinds[i].step, seed + i);
	return is_done;
}

void fault_chaos_stop(struct fake *f)
{
	atomic_store(&f->fault.stop, true);
	for (uint32_t i = 0; i < FAULT_CHAOS; i++) {
		struct fault_chaos *c = &f->fault.chaos[i];

		if (c->is_used)
			pthread_join(c->thread, NULL);
		c->is_used = false;
	}
	atomic_store(&f->fault.nr_chaos, 0);
}
