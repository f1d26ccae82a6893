/* SPDX-License-Identifier: MIT */
/*
 * Segments over a socket: this side chooses where they lie, the device sends a file of each, and destroys one when
 * nobody maps it any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/range.h"
#include "client/refuse.h"
#include "client/rpc.h"
#include "client/socket.h"

/* The device cannot take back what somebody has mapped, and nobody would unmap it in a child that lives on. */
static void keep_from_children(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER)
		madvise(seg->ptr, seg->size, MADV_DONTFORK);
}

void client_socket_segment_show(struct client_segment *seg)
{
	madvise(seg->ptr, seg->size, MADV_DOFORK);
}

static int reserve_offset(struct client_segment *seg, struct trn_error *err)
{
	struct client_session *s = seg->session;
	int r;

	pthread_mutex_lock(&s->lock);
	r = client_space_take(&s->space, seg->size, seg->size >= CLIENT_LARGE ? CLIENT_LARGE : BASE_PAGE_SIZE, &seg->offset);
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
		client_segment_note_grant(seg->session, seg->kind, &reply);
	return r;
}

static int check_and_map(struct client_segment *seg, int fd, bool populate, struct trn_error *err)
{
	int r;

	if (!base_memfd_is_safe(fd, seg->size))
		return client_refuse(err, -EPROTO, "UnsafeSegment", CLIENT_HINT_RESTART,
				     "the device sent a segment that is too small or could shrink");
	r = client_window_map(seg, fd, 0, populate ? MAP_POPULATE : 0);
	if (r < 0)
		return client_window_refuse_map(seg, r, err);
	keep_from_children(seg);
	return 0;
}

static void release_offset(struct client_segment *seg)
{
	pthread_mutex_lock(&seg->session->lock);
	release_offset_locked(seg);
	pthread_mutex_unlock(&seg->session->lock);
}

int client_socket_segment_create(struct client_segment *seg, bool populate, struct trn_error *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = reserve_offset(seg, err);
	if (r < 0)
		goto free_segment;
	r = request_segment(seg, &fd, err);
	if (r < 0)
		goto release;
	r = check_and_map(seg, fd, populate, err);
	if (r < 0)
		client_socket_segment_destroy(seg, 0, 0);
	return r;

release:
	release_offset(seg);
free_segment:
	free(seg);
	return r;
}

void client_socket_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos)
{
	struct trnc_segment_destroy req = { .offset = seg->offset, .context = context, .after_pos = after_pos };

	/* Unmapped first: the device proves by sealing that nobody maps it any more. */
	client_window_unmap(seg);
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
