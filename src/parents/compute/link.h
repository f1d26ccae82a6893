/* SPDX-License-Identifier: MIT */
/*
 * One end of a SOCK_SEQPACKET connection on the event loop: packets in through a call, packets out through a bounded
 * queue.  Nothing here blocks.
 *
 * A link is never freed by its own calls: closing one inside receive() is allowed, its memory must stay until the
 * loop has come round.
 */
#ifndef PARENTS_COMPUTE_LINK_H
#define PARENTS_COMPUTE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/list.h"

struct compute_link;

struct compute_link_ops {
	/*
	 * A packet; data is valid during the call and 8-byte aligned.  len is more than TRNC_MSG_MAX for one that was
	 * longer (the first TRNC_MSG_MAX bytes are there).  *fd: a descriptor that came along, or -1; closed after
	 * the call unless it was taken.
	 */
	void (*receive)(struct compute_link *link, const void *data, size_t len, int *fd);
	/* Once, from the loop, never from inside another call: the peer closed (0), the socket failed (-errno), or the
	 * peer reads too slowly (-ENOBUFS).  Nothing is received or sent any more. */
	void (*ended)(struct compute_link *link, int reason);
	/* The queue, which had grown beyond COMPUTE_LINK_BUSY, is empty.  May be NULL. */
	void (*drained)(struct compute_link *link);
};

/* Bytes in the queue from which on a link counts as busy. */
#define COMPUTE_LINK_BUSY (1u << 20)

struct compute_link {
	const struct compute_link_ops *ops;
	int sock; /* -1: closed */
	int reason; /* what ended() will be told, once failed */
	bool failed;
	bool is_paused;
	bool was_busy;
	bool takes_fds;
	bool is_leaving; /* closes when the queue is empty */
	sd_event_source *io;
	sd_event_source *linger; /* runs out when the peer does not take what is queued */
	sd_event_source *farewell; /* calls ended() */
	struct base_list queue;
	size_t queued; /* bytes, the queue's own overhead included */
	size_t queue_max;
};

/* Makes the link inert, so that close can be called on it. */
void compute_link_init(struct compute_link *l, const struct compute_link_ops *ops, size_t queue_max, bool takes_fds);

/* Takes over sock (made non-blocking) and begins to receive. sock stays the caller's on failure. Return: 0 or -errno. */
int compute_link_open(struct compute_link *l, sd_event *event, int sock);

/* Sends or queues; fd may be -1 and stays the caller's. A failure is told by ended(). */
void compute_link_send(struct compute_link *l, const void *data, size_t len, int fd);
/* Likewise, with several of them. */
#define COMPUTE_LINK_FDS 2u
void compute_link_send_fds(struct compute_link *l, const void *data, size_t len, const int *fds, size_t nr_fds);

/* Stops or goes on receiving; the peer's end is noticed all the same. */
void compute_link_pause(struct compute_link *l, bool pause);

static inline bool compute_link_is_busy(const struct compute_link *l)
{
	return l->queued > COMPUTE_LINK_BUSY;
}

/* What was sent stays readable for the peer; what is queued is lost. May be called again. */
void compute_link_close(struct compute_link *l);

/* Receives nothing more, and closes when the peer has taken what is queued: at once when that is nothing, else ended()
 * tells, after some seconds at most. */
void compute_link_leave(struct compute_link *l);

static inline bool compute_link_is_closed(const struct compute_link *l)
{
	return l->sock < 0;
}

#endif
