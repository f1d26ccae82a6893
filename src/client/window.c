/* SPDX-License-Identifier: MIT */
/* The session's window: a range of addresses in which segments lie. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/futex.h"
#include "client/refuse.h"
#include "client/segments.h"

#define SHARED_ALIGN (1ull << 30)
#define SHARED_TRIES 8

/* A number that another process of the same program does not have, too: sessions of both may meet in one executor. */
static uint64_t choose(uint64_t nr)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = base_clock_ns() * 0x9e3779b97f4a7c15ull >> 16;
	return random % nr;
}

/* Somewhere in the range that the wire names. NULL: it is full, or not for this process. */
static uint8_t *reserve_shared(uint64_t size)
{
	const uint64_t room = TRNC_WINDOW_TO - TRNC_WINDOW_FROM;

	if (size > room)
		return NULL;
	for (int i = 0; i < SHARED_TRIES; i++) {
		uint64_t at = TRNC_WINDOW_FROM + choose((room - size) / SHARED_ALIGN + 1) * SHARED_ALIGN;
		/* A wish: MAP_FIXED_NOREPLACE the thread sanitizer's mmap() does not know, and maps at 0 instead. */
		void *p = mmap((void *)(uintptr_t)at, size, PROT_NONE, CLIENT_RESERVE_FLAGS, -1, 0);

		if (p == MAP_FAILED)
			continue;
		if ((uint64_t)(uintptr_t)p == at)
			return p;
		munmap(p, size);
	}
	return NULL;
}

int client_window_open(struct client_session *s, uint64_t size, bool is_shared)
{
	void *p;
	int r = client_space_init(&s->space, size);

	if (r < 0)
		return r;
	s->window_size = size;
	s->window = is_shared ? reserve_shared(size) : NULL;
	if (s->window)
		return 0;
	/* One more alignment unit, so that offsets that are aligned are aligned addresses too; not under RLIMIT_AS. */
	p = mmap(NULL, size + CLIENT_LARGE, PROT_NONE, CLIENT_RESERVE_FLAGS, -1, 0);
	if (p != MAP_FAILED) {
		uint64_t start = (uint64_t)(uintptr_t)p;
		uint64_t skip = (CLIENT_LARGE - start % CLIENT_LARGE) % CLIENT_LARGE;

		if (skip)
			munmap(p, skip);
		s->window = (uint8_t *)p + skip;
		if (skip < CLIENT_LARGE)
			munmap(s->window + size, CLIENT_LARGE - skip);
	}
	return 0;
}

void client_window_close(struct client_session *s)
{
	if (s->window)
		munmap(s->window, s->window_size);
	s->window = NULL;
	client_space_finish(&s->space);
}

void client_window_trim(struct client_session *s, uint64_t size)
{
	if (size >= s->window_size)
		return;
	if (s->window)
		munmap(s->window + size, s->window_size - size);
	s->window_size = size;
}

int client_window_map(struct client_segment *seg, int fd, uint64_t file_offset, int flags)
{
	struct client_session *s = seg->session;
	bool is_inside = s->window && seg->offset < s->window_size;
	void *p = mmap(is_inside ? s->window + seg->offset : NULL, seg->size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | flags | (is_inside ? MAP_FIXED : 0), fd, (off_t)file_offset);

	if (p == MAP_FAILED)
		return -errno;
	seg->ptr = p;
	return 0;
}

int client_window_refuse_map(const struct client_segment *seg, int r, struct trn_error *err)
{
	return client_refuse(err, -ENOMEM, "MapFailed", "raise the limit of the address space or vm.max_map_count",
			     "cannot map %llu bytes of the device's memory: %s", (unsigned long long)seg->size,
			     strerror(-r));
}

void client_window_unmap(struct client_segment *seg)
{
	struct client_session *s = seg->session;

	if (!seg->ptr)
		return;
	if (!s->window || seg->offset >= s->window_size) {
		munmap(seg->ptr, seg->size);
	} else if (mmap(seg->ptr, seg->size, PROT_NONE, CLIENT_RESERVE_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		/* The range is no longer ours then: somebody else's mapping may come to lie there. */
		munmap(seg->ptr, seg->size);
		seg->is_stuck = true;
	}
	seg->ptr = NULL;
}
