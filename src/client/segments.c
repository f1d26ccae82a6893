/* SPDX-License-Identifier: MIT */
#include "client/segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/memfd.h"
#include "base/range.h"
#include "base/size.h"
#include "client/refuse.h"
#include "client/rpc.h"

/* Segments of this size and more start where a huge page can. */
#define LARGE (2ull << 20)

#define RESERVE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

#define SHARED_ALIGN (1ull << 30)
#define SHARED_TRIES 8

/* ------------------------------------------------------------- window */

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
		void *p = mmap((void *)(uintptr_t)at, size, PROT_NONE, RESERVE_FLAGS, -1, 0);

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
	p = mmap(NULL, size + LARGE, PROT_NONE, RESERVE_FLAGS, -1, 0);
	if (p != MAP_FAILED) {
		uint64_t start = (uint64_t)(uintptr_t)p;
		uint64_t skip = (LARGE - start % LARGE) % LARGE;

		if (skip)
			munmap(p, skip);
		s->window = (uint8_t *)p + skip;
		if (skip < LARGE)
			munmap(s->window + size, LARGE - skip);
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

static int map_segment(struct client_segment *seg, int fd, bool populate)
{
	struct client_session *s = seg->session;
	int flags = MAP_SHARED | (populate ? MAP_POPULATE : 0) | (s->window ? MAP_FIXED : 0);
	void *p = mmap(s->window ? s->window + seg->offset : NULL, seg->size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	seg->ptr = p;
	return 0;
}

/* The device cannot take back what somebody has mapped, and nobody would unmap it in a child that lives on. */
static void keep_from_children(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER)
		madvise(seg->ptr, seg->size, MADV_DONTFORK);
}

void client_segment_show(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER && !atomic_exchange(&seg->is_shown, true))
		madvise(seg->ptr, seg->size, MADV_DOFORK);
}

static void unmap_segment(struct client_segment *seg)
{
	struct client_session *s = seg->session;

	if (!seg->ptr)
		return;
	if (!s->window) {
		munmap(seg->ptr, seg->size);
	} else if (mmap(seg->ptr, seg->size, PROT_NONE, RESERVE_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		/* The range is no longer ours then: somebody else's mapping may come to lie there. */
		munmap(seg->ptr, seg->size);
		seg->is_stuck = true;
	}
	seg->ptr = NULL;
}

/* --------------------------------------------------------------- life */

static int reserve_offset(struct client_segment *seg, struct trn_error *err)
{
	struct client_session *s = seg->session;
	int r;

	pthread_mutex_lock(&s->lock);
	r = client_space_take(&s->space, seg->size, seg->size >= LARGE ? LARGE : BASE_PAGE_SIZE, &seg->offset);
	pthread_mutex_unlock(&s->lock);
	if (r < 0)
		return client_refuse(err, -ENOMEM, "WindowFull", "release buffers first",
				     "the session's window has no room for %llu more bytes",
				     (unsigned long long)seg->size);
	return 0;
}

static void release_offset_locked(struct client_segment *seg)
{
	if (!seg->is_stuck)
		client_space_give(&seg->session->space, seg->offset, seg->size); /* -ENOMEM: lost for this session */
}

static void note_grant(struct client_session *s, enum trnc_segment_kind kind, const struct trnc_segment_reply *reply)
{
	pthread_mutex_lock(&s->lock);
	/* Replies may be handled out of order: a lower number is an older one. */
	if (reply->control_seq > atomic_load(&s->control_seq))
		atomic_store(&s->control_seq, reply->control_seq);
	client_session_account(s, kind)->used = reply->used;
	pthread_mutex_unlock(&s->lock);
}

static int request_segment(struct client_segment *seg, int *ret_fd, struct trn_error *err)
{
	struct trnc_segment_create create = { .offset = seg->offset, .size = seg->size, .kind = seg->kind };
	struct trnc_segment_reply reply;
	struct client_request req = {
		.type = TRNC_MSG_SEGMENT_CREATE,
		.body = &create,
		.len = sizeof(create),
		.reply = &reply,
		.reply_len = sizeof(reply),
		.ret_fd = ret_fd,
	};
	int r = client_rpc(seg->session, &req, err);

	if (r == 0)
		note_grant(seg->session, seg->kind, &reply);
	return r;
}

static int refuse_size(struct client_segment *seg, uint64_t limit, struct trn_error *err)
{
	char asked[BASE_SIZE_TEXT], allowed[BASE_SIZE_TEXT];

	return client_refuse(err, -ENOSPC, "OverQuota", CLIENT_HINT_QUOTA, "%s asked, the device's %s is %s",
			     base_size_format(seg->size, asked),
			     seg->kind == TRNC_SEGMENT_BUFFER ? "quota" : "service memory",
			     base_size_format(limit, allowed));
}

static int check_and_map(struct client_segment *seg, int fd, bool populate, struct trn_error *err)
{
	int r;

	if (!base_memfd_is_safe(fd, seg->size))
		return client_refuse(err, -EPROTO, "UnsafeSegment", CLIENT_HINT_RESTART,
				     "the device sent a segment that is too small or could shrink");
	r = map_segment(seg, fd, populate);
	if (r < 0)
		return client_refuse(err, -ENOMEM, "MapFailed",
				     "raise the limit of the address space or vm.max_map_count",
				     "cannot map %llu bytes of the device's memory: %s",
				     (unsigned long long)seg->size, strerror(-r));
	keep_from_children(seg);
	return 0;
}

int client_segment_create(struct client_session *s, enum trnc_segment_kind kind, uint64_t size, bool populate,
			  struct client_segment **ret, struct trn_error *err)
{
	uint64_t limit = client_session_account(s, kind)->limit;
	_cleanup_close_ int fd = -1;
	struct client_segment *seg;
	int r;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	seg = calloc(1, sizeof(*seg));
	if (!seg)
		return client_refuse_memory(err);
	*seg = (struct client_segment){ .session = s, .kind = kind, .size = size };
	base_list_init(&seg->node);

	if (size > limit) {
		r = refuse_size(seg, limit, err);
		goto free_segment;
	}
	r = reserve_offset(seg, err);
	if (r < 0)
		goto free_segment;
	r = request_segment(seg, &fd, err);
	if (r < 0)
		goto release;
	r = check_and_map(seg, fd, populate, err);
	if (r < 0) {
		client_segment_destroy(seg, 0, 0);
		return r;
	}
	*ret = seg;
	return 0;

release:
	pthread_mutex_lock(&s->lock);
	release_offset_locked(seg);
	pthread_mutex_unlock(&s->lock);
free_segment:
	free(seg);
	return r;
}

void client_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos)
{
	struct trnc_segment_destroy req = { .offset = seg->offset, .context = context, .after_pos = after_pos };

	/* Unmapped first: the device proves by sealing that nobody maps it any more. */
	unmap_segment(seg);
	client_rpc_segment_destroy(seg->session, seg, &req);
}

void client_segment_dies_locked(struct client_session *s, struct client_segment *seg, uint64_t id)
{
	seg->dying_id = id;
	base_list_append(&s->dying, &seg->node);
	s->nr_dying++;
	s->bytes_dying += seg->size;
}

struct client_segment *client_segment_find_dying_locked(struct client_session *s, uint64_t id)
{
	struct client_segment *seg;

	base_list_for_each(seg, &s->dying, node)
		if (seg->dying_id == id)
			return seg;
	return NULL;
}

void client_segment_died_locked(struct client_session *s, struct client_segment *seg,
				const struct trnc_segment_reply *reply)
{
	if (seg->dying_id) {
		base_list_remove(&seg->node);
		s->nr_dying--;
		s->bytes_dying -= seg->size;
		atomic_fetch_add(&s->nr_freed, 1);
	}
	if (reply) {
		client_session_account(s, seg->kind)->used = reply->used;
		release_offset_locked(seg); /* refused: the device still has a segment there */
	}
	free(seg);
}
