/* SPDX-License-Identifier: MIT */
#include "parents/compute/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "tranche/wire/compute.h"

/* Packets handled before other links get their turn. */
#define BUDGET 64

#define LINGER_US 2000000u

struct queued_packet {
	struct base_list node;
	size_t len;
	size_t nr_fds;
	int fds[COMPUTE_LINK_FDS]; /* own duplicates */
	uint8_t data[];
};

void compute_link_init(struct compute_link *l, const struct compute_link_ops *ops, size_t queue_max, bool takes_fds)
{
	*l = (struct compute_link){ .ops = ops, .sock = -1, .queue_max = queue_max, .takes_fds = takes_fds };
	base_list_init(&l->queue);
}

static void free_packet(struct queued_packet *p)
{
	for (size_t i = 0; i < p->nr_fds; i++)
		base_close(p->fds[i]);
	free(p);
}

static void drop_packet(struct compute_link *l, struct queued_packet *p)
{
	l->queued -= sizeof(*p) + p->len;
	base_list_remove(&p->node);
	free_packet(p);
}

static void update_events(struct compute_link *l)
{
	uint32_t events = (l->is_paused ? 0u : EPOLLIN) | (base_list_is_empty(&l->queue) ? 0u : EPOLLOUT);

	(void)sd_event_source_set_io_events(l->io, events);
}

static void fail(struct compute_link *l, int reason)
{
	if (l->failed || l->sock < 0)
		return;
	l->failed = true;
	l->reason = reason;
	(void)sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(l->farewell, SD_EVENT_ONESHOT);
}

static int on_farewell(sd_event_source *source, void *data)
{
	struct compute_link *l = data;

	l->ops->ended(l, l->reason);
	return 0;
}

static bool is_full(int r)
{
	/* ETOOMANYREFS: too many descriptors of this user are under way; they become fewer when the peer reads. */
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS;
}

static int copy_fds(struct queued_packet *p, const int *fds, size_t nr_fds)
{
	for (; p->nr_fds < nr_fds; p->nr_fds++) {
		p->fds[p->nr_fds] = fcntl(fds[p->nr_fds], F_DUPFD_CLOEXEC, 0);
		if (p->fds[p->nr_fds] < 0)
			return -ENOMEM;
	}
	return 0;
}

static int queue_packet(struct compute_link *l, const void *data, size_t len, const int *fds, size_t nr_fds)
{
	struct queued_packet *p;

	if (l->queued + sizeof(*p) + len > l->queue_max)
		return -ENOBUFS;
	p = malloc(sizeof(*p) + len);
	if (!p)
		return -ENOMEM;
	p->len = len;
	p->nr_fds = 0;
	if (copy_fds(p, fds, nr_fds) < 0) {
		free_packet(p);
		return -ENOMEM;
	}
	memcpy(p->data, data, len);
	base_list_append(&l->queue, &p->node);
	l->queued += sizeof(*p) + len;
	if (compute_link_is_busy(l))
		l->was_busy = true;
	return 0;
}

void compute_link_send_fds(struct compute_link *l, const void *data, size_t len, const int *fds, size_t nr_fds)
{
	int r;

	if (l->sock < 0 || l->failed)
		return;
	if (base_list_is_empty(&l->queue)) {
		r = base_send(l->sock, data, len, fds, nr_fds);
		if (r == 0)
			return;
		if (!is_full(r)) {
			fail(l, r);
			return;
		}
	}
	r = queue_packet(l, data, len, fds, nr_fds);
	if (r < 0)
		fail(l, r);
	else
		update_events(l);
}

void compute_link_send(struct compute_link *l, const void *data, size_t len, int fd)
{
	compute_link_send_fds(l, data, len, &fd, fd >= 0);
}

static void flush(struct compute_link *l)
{
	while (!base_list_is_empty(&l->queue)) {
		struct queued_packet *p = base_container_of(l->queue.next, struct queued_packet, node);
		int r = base_send(l->sock, p->data, p->len, p->fds, p->nr_fds);

		if (is_full(r))
			return;
		if (r < 0) {
			fail(l, r);
			return;
		}
		drop_packet(l, p);
	}
	if (l->is_leaving) {
		fail(l, 0); /* done: ended() closes */
		return;
	}
	update_events(l);
	if (l->was_busy) {
		l->was_busy = false;
		if (l->ops->drained)
			l->ops->drained(l);
	}
}

static void receive(struct compute_link *l)
{
	_Alignas(8) uint8_t data[TRNC_MSG_MAX];

	for (int i = 0; i < BUDGET && l->sock >= 0 && !l->failed && !l->is_paused; i++) {
		_cleanup_close_ int fd = -1;
		size_t nr_fds = l->takes_fds ? 1 : 0;
		ssize_t n = base_recv(l->sock, data, sizeof(data), &fd, &nr_fds);

		if (n == -EAGAIN)
			return;
		if (n == -EMSGSIZE) {
			l->ops->receive(l, data, sizeof(data) + 1, &fd);
		} else if (n <= 0) {
			fail(l, (int)n);
			return;
		} else {
			l->ops->receive(l, data, (size_t)n, &fd);
		}
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct compute_link *l = data;

	if (events & EPOLLOUT)
		flush(l);
	if (events & EPOLLIN)
		receive(l);
	else if ((events & (EPOLLHUP | EPOLLERR)) && l->sock >= 0)
		fail(l, 0);
	return 0;
}

int compute_link_open(struct compute_link *l, sd_event *event, int sock)
{
	int r;

	if (fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = sd_event_add_io(event, &l->io, sock, EPOLLIN, on_io, l);
	if (r < 0)
		return r;
	r = sd_event_add_defer(event, &l->farewell, on_farewell, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->farewell, SD_EVENT_OFF);
	if (r < 0) {
		l->io = sd_event_source_disable_unref(l->io);
		l->farewell = sd_event_source_disable_unref(l->farewell);
		return r;
	}
	l->sock = sock;
	return 0;
}

void compute_link_pause(struct compute_link *l, bool pause)
{
	if (l->sock < 0 || l->is_paused == pause)
		return;
	l->is_paused = pause;
	update_events(l);
}

/*
 * A socket that is closed while it holds unread packets gives its peer ECONNRESET before what was sent to it; so those
 * are thrown away first.  Bounded by the socket's buffer: after the shutdown no more can come.
 */
static void discard_unread(int sock)
{
	uint8_t byte;
	size_t none = 0;
	ssize_t n;

	(void)shutdown(sock, SHUT_RD);
	do {
		n = base_recv(sock, &byte, sizeof(byte), NULL, &none);
	} while (n > 0 || n == -EMSGSIZE);
}

void compute_link_close(struct compute_link *l)
{
	struct queued_packet *p, *next;

	l->io = sd_event_source_disable_unref(l->io);
	l->farewell = sd_event_source_disable_unref(l->farewell);
	l->linger = sd_event_source_disable_unref(l->linger);
	base_list_for_each_safe(p, next, &l->queue, node)
		drop_packet(l, p);
	if (l->sock < 0)
		return;
	discard_unread(l->sock);
	l->sock = base_close(l->sock);
}

static int on_linger(sd_event_source *source, uint64_t usec, void *data)
{
	fail(data, -ETIMEDOUT);
	return 0;
}

void compute_link_leave(struct compute_link *l)
{
	sd_event *event;

	if (l->sock < 0 || l->is_leaving)
		return;
	event = sd_event_source_get_event(l->io);
	if (l->failed || base_list_is_empty(&l->queue) ||
	    sd_event_add_time_relative(event, &l->linger, CLOCK_MONOTONIC, LINGER_US, 1000, on_linger, l) < 0) {
		compute_link_close(l);
		return;
	}
	l->is_leaving = true;
	compute_link_pause(l, true);
	discard_unread(l->sock);
}
