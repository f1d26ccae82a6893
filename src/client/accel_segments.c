/* SPDX-License-Identifier: MIT */
/*
 * Segments through a guest's driver: objects of its, mapped into the window.  The driver gives memory back without telling:
 * that it did is seen in its figures.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/range.h"
#include "base/size.h"
#include "client/accel.h"
#include "client/refuse.h"

#define NAP_MS 2 /* between two looks at the figures */

void client_accel_note_live(struct client_session *s, enum trnc_segment_kind kind, uint64_t bytes)
{
	pthread_mutex_lock(&s->lock);
	s->accel->live[kind - 1] += bytes;
	pthread_mutex_unlock(&s->lock);
}

void client_accel_note_dying(struct client_session *s, enum trnc_segment_kind kind, uint64_t bytes)
{
	struct client_account *account = client_session_account(s, kind);

	pthread_mutex_lock(&s->lock);
	s->accel->live[kind - 1] -= bytes;
	s->bytes_dying += bytes;
	s->nr_dying = 1;
	/* It will be so soon; who relies on it too early is refused and asks. */
	account->used -= account->used < bytes ? account->used : bytes;
	pthread_mutex_unlock(&s->lock);
}

/* ---------------------------------------------------------------- life */

static bool is_place_sane(const struct client_segment *seg)
{
	if (!base_is_page_aligned(seg->offset))
		return false;
	if (seg->offset >= TRNC_SHARED_WINDOW)
		return seg->size <= UINT64_MAX - seg->offset;
	return base_range_is_within(seg->offset, seg->size, seg->session->window_size);
}

/* A child that lives on would keep the memory from being given back. */
static void keep_from_children(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER)
		madvise(seg->ptr, seg->size, MADV_DONTFORK);
}

int client_accel_map(struct client_segment *seg, uint64_t mmap_offset, struct trn_error *err)
{
	int r;

	if (!is_place_sane(seg))
		return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART,
				     "%s: the driver's memory lies outside of the window", seg->session->device->path);
	r = client_window_map(seg, seg->session->fd, mmap_offset, 0);
	if (r < 0)
		return client_window_refuse_map(seg, r, err);
	seg->mmap_offset = mmap_offset;
	keep_from_children(seg);
	return 0;
}

/* What the kernel maps of a device can be kept from children, and not given to them again: it is mapped anew for that. */
void client_accel_segment_show(struct client_segment *seg)
{
	if (client_session_is_foreign(seg->session))
		return;
	if (mmap(seg->ptr, seg->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, seg->session->fd,
		 (off_t)seg->mmap_offset) != MAP_FAILED)
		return;
	/* The device is gone, and the old mapping may be, too: what is written there is for nobody, but nobody else's. */
	mmap(seg->ptr, seg->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static int refuse_grant(struct client_segment *seg, int r, struct trn_error *err)
{
	char asked[BASE_SIZE_TEXT];

	base_size_format(seg->size, asked);
	if (r == -ENOSPC)
		return client_refuse(err, r, "OverQuota", CLIENT_HINT_QUOTA,
				     "%s: %s more is over the device's %s", seg->session->device->path, asked,
				     seg->kind == TRNC_SEGMENT_BUFFER ? "quota" : "service memory");
	if (r == -ENOMEM)
		return client_refuse(err, r, "WindowFull", "release buffers first",
				     "the session's window has no room for %s more", asked);
	return client_accel_refuse(seg->session, r, "GEM_CREATE", err);
}

int client_accel_segment_create(struct client_segment *seg, bool populate, struct trn_error *err)
{
	struct client_session *s = seg->session;
	struct drm_tranche_gem_create create = {
		.size = seg->size,
		.kind = seg->kind,
		.flags = seg->is_exportable ? DRM_TRANCHE_GEM_EXPORTABLE : 0,
	};
	struct trnc_segment_reply grant;
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_GEM_CREATE, &create);

	if (r < 0) {
		refuse_grant(seg, r, err);
		free(seg);
		return r;
	}
	seg->handle = create.handle;
	seg->offset = create.offset;
	if (!seg->is_exportable)
		client_accel_note_live(s, seg->kind, seg->size);
	grant = (struct trnc_segment_reply){ .control_seq = create.control_seq, .used = create.used };
	client_segment_note_grant(s, seg->kind, &grant);
	r = client_accel_map(seg, create.mmap_offset, err);
	if (r < 0)
		client_accel_segment_destroy(seg, 0, 0);
	return r;
}

void client_accel_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos)
{
	struct drm_tranche_gem_destroy destroy = {
		.handle = seg->handle,
		.context = context,
		.after_pos = after_pos,
	};

	client_window_unmap(seg);
	if (!seg->is_exportable)
		client_accel_note_dying(seg->session, seg->kind, seg->size);
	if (!client_accel_unshare(seg, context, after_pos))
		client_accel_ioctl_raw(seg->session, DRM_IOCTL_TRANCHE_GEM_DESTROY, &destroy);
	free(seg);
}

/* -------------------------------------------------------------- figures */

int client_accel_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err)
{
	struct drm_tranche_memory memory = { 0 };
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_MEMORY_QUERY, &memory);

	if (r < 0)
		return client_accel_refuse(s, r, "MEMORY_QUERY", err);
	*ret = (struct trnc_memory_reply){
		.quota = memory.quota,
		.used = memory.used,
		.session_used = memory.session_used,
		.service_used = memory.service_used,
	};
	return 0;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Looks how much of what was given back the host still counts. */
static void settle(struct client_session *s)
{
	struct trnc_memory_reply memory;
	uint64_t left;

	if (client_accel_memory(s, &memory, NULL) < 0)
		return;
	pthread_mutex_lock(&s->lock);
	client_session_account(s, TRNC_SEGMENT_BUFFER)->used = memory.used;
	client_session_account(s, TRNC_SEGMENT_SERVICE)->used = memory.service_used;
	left = above(memory.session_used, s->accel->live[0]) + above(memory.service_used, s->accel->live[1]);
	if (left < s->bytes_dying) {
		s->bytes_dying = left;
		s->nr_dying = left > 0;
		atomic_fetch_add(&s->nr_freed, 1);
	}
	pthread_mutex_unlock(&s->lock);
}

void client_accel_drain(struct client_session *s, int timeout_ms)
{
	bool is_dying;

	if (client_session_is_foreign(s) || client_accel_is_lost(s))
		return;
	pthread_mutex_lock(&s->lock);
	is_dying = s->nr_dying;
	pthread_mutex_unlock(&s->lock);
	if (is_dying)
		settle(s);
	if (timeout_ms)
		poll(NULL, 0, timeout_ms < NAP_MS ? timeout_ms : NAP_MS);
}
