/* SPDX-License-Identifier: MIT */
/*
 * The second socket of a client that has one: a thread sends our commands on it and takes their replies. It never waits
 * for the one while the other could go on, so it needs nothing of the client but that it serves this socket too.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vfio-user/dma_priv.h"

struct twin {
	struct vfu_dma *dma;
	int fd;
	size_t out_len; /* of the message in staging; 0: none */
	size_t out_pos;
	uint8_t *in;
	size_t in_len;
	size_t in_room;
};

static bool must_stop(struct vfu_dma *d)
{
	bool yes;

	pthread_mutex_lock(&d->queue_lock);
	yes = d->must_stop;
	pthread_mutex_unlock(&d->queue_lock);
	return yes;
}

static bool next_message(struct twin *t)
{
	pthread_mutex_lock(&t->dma->queue_lock);
	t->out_len = vfu_queue_next_locked(t->dma);
	pthread_mutex_unlock(&t->dma->queue_lock);
	t->out_pos = 0;
	return t->out_len;
}

/* Sends what there is and what the socket takes. 0 or -errno. */
static int send_some(struct twin *t)
{
	while (t->out_len || next_message(t)) {
		ssize_t n = send(t->fd, t->dma->staging + t->out_pos, t->out_len - t->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		t->out_pos += (size_t)n;
		if (t->out_pos == t->out_len)
			t->out_len = 0;
	}
	return 0;
}

/* The first message of what was received: its length; 0: it is not whole; -EPROTO: it is none, and nothing behind it can be read. */
static ssize_t take_message(struct twin *t)
{
	struct vfu_request reply = { 0 };

	if (t->in_len < sizeof(reply.header))
		return 0;
	memcpy(&reply.header, t->in, sizeof(reply.header));
	if (reply.header.size < sizeof(reply.header) || reply.header.size > t->in_room ||
	    (reply.header.flags & VFU_FLAG_TYPE_MASK) != VFU_FLAG_REPLY) {
		log_debug("twin socket: a message of %u bytes with flags %#x is no reply", reply.header.size, reply.header.flags);
		return -EPROTO;
	}
	if (t->in_len < reply.header.size)
		return 0;
	reply.payload = t->in + sizeof(reply.header);
	reply.len = reply.header.size - sizeof(reply.header);
	if (vfu_dma_handle_reply(t->dma->conn, &reply) < 0)
		log_debug("twin socket: reply %u is to no command of ours", reply.header.id);
	return reply.header.size;
}

static int receive_some(struct twin *t)
{
	ssize_t n = recv(t->fd, t->in + t->in_len, t->in_room - t->in_len, MSG_DONTWAIT);

	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	t->in_len += (size_t)n;
	while ((n = take_message(t)) > 0) {
		t->in_len -= (size_t)n;
		memmove(t->in, t->in + n, t->in_len);
	}
	return (int)n;
}

static int work(struct twin *t)
{
	struct pollfd fds[2] = {
		{ .fd = t->fd, .events = (short)(t->out_len ? POLLIN | POLLOUT : POLLIN) },
		{ .fd = t->dma->wake_fd, .events = POLLIN },
	};
	eventfd_t count;
	int r = 0;

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents)
		(void)eventfd_read(t->dma->wake_fd, &count);
	if (fds[0].revents & ~POLLOUT)
		r = receive_some(t);
	/* Also after a reply: it may have freed the place of the next message. */
	return r < 0 ? r : send_some(t);
}

void *vfu_twin_run(void *dma)
{
	struct vfu_dma *d = dma;
	struct twin t = {
		.dma = d,
		.fd = d->conn->twin_fd,
		.in_room = sizeof(struct vfu_header) + sizeof(struct vfu_dma_access) + d->max_piece,
	};
	int r = 0;

	t.in = malloc(t.in_room);
	if (!t.in)
		r = -ENOMEM;
	while (r >= 0 && !must_stop(d))
		r = work(&t);
	if (r < 0)
		vfu_dma_give_up(d);
	free(t.in);
	return NULL;
}
