/* SPDX-License-Identifier: MIT */
/* Records: what a program that keeps the rules writes into its ring, and what one does that does not. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz.h"

/* The record at the producer; what is left at the ring's end is padded. (The context may be another one meanwhile.) */
static void put(struct context *c, uint32_t ring_len, uint8_t *ring, const void *record, uint32_t len)
{
	uint64_t at = c->producer % ring_len, left = ring_len - at;
	struct trnc_rec pad = { .type = TRNC_REC_PAD, .len = (uint32_t)left };

	if (left < len) {
		if (left >= sizeof(pad))
			(void)fuzz_copy(ring + at, &pad, sizeof(pad));
		c->producer += left;
		at = 0;
	}
	(void)fuzz_copy(ring + at, record, len);
	c->producer += len;
}

static void put_command(struct worker *w, struct context *c, uint32_t ring_len, uint8_t *ring)
{
	struct trnc_rec_queue_create queue = {
		.rec = { .type = TRNC_REC_QUEUE_CREATE, .len = sizeof(queue) }, .queue = 1ull << 32, .event = 1ull << 32,
	};
	struct trnc_cmd cmd = {
		.rec = { .type = TRNC_REC_MARKER, .len = sizeof(cmd) }, .queue = 1ull << 32, .seq = ++c->seq,
		.event = 1ull << 32 | (1 + fuzz_below(w, 100)),
	};

	if (!c->has_queue)
		put(c, ring_len, ring, &queue, sizeof(queue));
	c->has_queue = true;
	if (fuzz_one_in(w, 20))
		cmd.rec.type = TRNC_REC_CLIENT;
	put(c, ring_len, ring, &cmd, sizeof(cmd));
}

static bool must_ring(struct trnc_user_page *user)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&user->host_asleep;

	return atomic_load(asleep) && atomic_exchange(asleep, 0);
}

/* One call of a program: the mappings live as long as it. */
static long submit(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct context *c = fuzz_context(w, f);
	struct drm_tranche_doorbell bell = { 0 };
	struct trnc_user_page *user;
	uint8_t *ring;
	uint32_t ring_len = c ? c->ring_len : 0;
	long r = 0;

	if (!c || ring_len < TRNC_RING_MIN || ring_len > TRNC_RING_MAX)
		return NOTHING;
	bell.context = c->number;
	user = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, (off_t)(c->mmap_offset + TRNC_CHANNEL_USER));
	ring = mmap(NULL, ring_len, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, (off_t)(c->mmap_offset + TRNC_CHANNEL_RING));
	if (user == MAP_FAILED || ring == MAP_FAILED) {
		r = -errno;
	} else if (c->ring_len == ring_len) {
		for (uint32_t n = 1 + fuzz_below(w, 8); n; n--)
			put_command(w, c, ring_len, ring);
		if (fuzz_one_in(w, 200))
			c->producer += 8 * fuzz_below(w, 9);
		atomic_store((_Atomic uint64_t *)&user->producer, c->producer);
		if (must_ring(user) || fuzz_one_in(w, 8))
			r = ioctl(f->fd, DRM_IOCTL_TRANCHE_DOORBELL, &bell) < 0 ? -errno : 0;
		if (fuzz_one_in(w, 4))
			atomic_fetch_add((_Atomic uint32_t *)&user->kicks, 1);
	}
	if (user != MAP_FAILED)
		munmap(user, 4096);
	if (ring != MAP_FAILED)
		munmap(ring, ring_len);
	return r;
}

const struct op ring_ops[] = {
	{ "submit", 60, submit },
	{ 0 },
};
