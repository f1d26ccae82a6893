/* SPDX-License-Identifier: MIT */
/* Segments: the unit of memory that the device grants, charges and shares with us. */
#ifndef CLIENT_SEGMENTS_H
#define CLIENT_SEGMENTS_H

#include <stdatomic.h>

#include "client/session.h"

#define CLIENT_LARGE (2ull << 20) /* segments of this size and more start where a huge page can */
#define CLIENT_EXACT_MIN (16ull << 20) /* from here on a piece of memory has a segment of its own */

struct client_pool_segment;

struct client_segment {
	struct client_session *session;
	enum trnc_segment_kind kind;
	uint64_t offset; /* in the window */
	uint64_t size;
	uint8_t *ptr; /* mapped here; NULL once given back */
	struct client_pool_segment *pool_segment; /* NULL: an exact one */
	struct base_list node; /* in the list of its owner, later in session->dying */
	uint64_t dying_id;     /* of the SEGMENT_DESTROY that is under way */
	_Atomic bool is_shown; /* the program has pointers into it */
	bool is_stuck;	       /* its place in the window cannot be used again */
	/* through a guest's driver */
	uint32_t handle;
	uint64_t mmap_offset;
	bool is_exportable; /* other sessions may have it, too; lies in the shared window */
};

/*
 * Asks the device for size bytes (a multiple of the page size) and maps them.  populate: with all pages present.
 * Return: 0; -ENOSPC: refused by the device or more than it can ever grant; -ENOMEM: no room in this process or in the
 * window; others as client_rpc().
 */
int client_segment_create(struct client_session *s, enum trnc_segment_kind kind, uint64_t size, bool populate,
			  struct client_segment **ret, struct trn_error *err);
/* Memory for a buffer that may be given to other programs. -EOPNOTSUPP: not through this transport. */
int client_segment_create_exportable(struct client_session *s, uint64_t size, struct client_segment **ret,
				     struct trn_error *err);

/*
 * Unmaps the segment and gives it back; the pointer is gone.  context 0, or: the host lets go when this context's ring
 * has been read up to after_pos.  Does not wait.
 */
void client_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos);

/* A child that is forked from now on has the segment, too. */
void client_segment_show(struct client_segment *seg);

/* For transports: an unmapped one, freed by whoever finishes it. NULL: no memory. */
struct client_segment *client_segment_new(struct client_session *s, enum trnc_segment_kind kind, uint64_t size);
/* Records that come now carry this number or a later one. */
void client_segment_note_control(struct client_session *s, uint64_t control_seq);
void client_segment_note_grant(struct client_session *s, enum trnc_segment_kind kind,
			       const struct trnc_segment_reply *reply);

/* For rpc.c, with session->lock held. */
void client_segment_dies_locked(struct client_session *s, struct client_segment *seg, uint64_t id);
struct client_segment *client_segment_find_dying_locked(struct client_session *s, uint64_t id);
/* reply NULL: refused or lost. Frees seg. */
void client_segment_died_locked(struct client_session *s, struct client_segment *seg,
				const struct trnc_segment_reply *reply);

/*
 * The window: reserves size bytes of addresses if this process may, all of it free.  is_shared: where the host is likely
 * to have them, too, if that can be had. Return: 0 or -ENOMEM.
 */
int client_window_open(struct client_session *s, uint64_t size, bool is_shared);
void client_window_close(struct client_session *s);
/* The other side gives less of it. */
void client_window_trim(struct client_session *s, uint64_t size);

#define CLIENT_RESERVE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Maps a segment at its place, or anywhere if that is in no window; flags beside MAP_SHARED. Return: 0 or -errno. */
int client_window_map(struct client_segment *seg, int fd, uint64_t file_offset, int flags);
int client_window_refuse_map(const struct client_segment *seg, int r, struct trn_error *err);
/* Its place is reserved again. */
void client_window_unmap(struct client_segment *seg);

#endif
