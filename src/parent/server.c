/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parent/broker.h"
#include "parent/parent.h"

struct server {
	struct parent_process *process;
	char *packet; /* PARENT_MAX_PACKET bytes */
	bool is_over;
};

/* Whoever hears of a process may end it: it is let go only after the device process was told of it. */
static int start(const struct parent_process *p, const struct parent_start *s, const int fds[2], struct trn_error *err)
{
	struct parent_child c = { .pidfd = -1, .broker = -1 };
	int folder, r = parent_mould_ask(p, s, fds[0], -1, &c);

	/* The device process then starts it by itself, and us anew. */
	if (r == -EPIPE)
		exit(EXIT_FAILURE);
	if (r < 0)
		return trn_error_set(err, r, "NoProcess", "an executor cannot be forked: %s", strerror(-r));
	r = parent_reply_started(TRNC_PARENT_FD, s->id, &c);
	base_close(c.pidfd);
	if (r == 0)
		r = parent_child_go(&c);
	if (r < 0) { /* one of the two is gone, and the other hears of it */
		log_debug("executor %d: %s", (int)c.pid, strerror(-r));
		base_close(c.broker);
		return 0;
	}
	folder = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	parent_broker_open(p->broker, c.broker, folder, 0, s->is_guest);
	return 0;
}

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void handle(struct server *s, size_t len, const int *fds, size_t nr_fds)
{
	struct parent_start start_of = { 0 };
	struct trn_error err = { 0 };
	int r = parent_start_parse(&start_of, s->packet, len, nr_fds, &err);

	if (r == 0 && !is_folder(fds[1]))
		r = trn_error_set(&err, -ENOTDIR, "BadDescriptors", "the session's folder is none");
	if (r == 0)
		r = start(s->process, &start_of, fds, &err);
	if (r < 0)
		(void)parent_refuse(TRNC_PARENT_FD, TRNC_PARENT_START, start_of.id, &err);
	parent_start_finish(&start_of);
}

static int on_packet(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct server *s = data;
	int fds[BASE_MAX_FDS];
	size_t nr_fds = BASE_MAX_FDS;
	ssize_t len = base_recv(fd, s->packet, PARENT_MAX_PACKET, fds, &nr_fds);

	if (len == -EAGAIN || len == -EINTR)
		return 0;
	if (len == -EMSGSIZE) {
		log_debug("a packet is too long");
		return 0;
	}
	if (len <= 0) {
		s->is_over = true;
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	handle(s, (size_t)len, fds, nr_fds);
	for (size_t i = 0; i < nr_fds; i++)
		base_close(fds[i]);
	return 0;
}

static int run(struct parent_process *p, struct server *s)
{
	int r = sd_event_new(&p->event);

	if (r >= 0)
		r = parent_broker_create(p, &p->broker);
	if (r >= 0)
		r = sd_event_add_io(p->event, NULL, TRNC_PARENT_FD, EPOLLIN, on_packet, s);
	while (r >= 0 && !s->is_over) {
		r = sd_event_run(p->event, UINT64_MAX);
		parent_broker_settle(p->broker);
	}
	if (r >= 0)
		parent_broker_linger(p->broker);
	parent_broker_destroy(p->broker);
	sd_event_unref(p->event);
	return r;
}

int parent_serve(struct parent_process *p)
{
	struct server s = { .process = p, .packet = malloc(PARENT_MAX_PACKET) };
	int r = s.packet ? run(p, &s) : -ENOMEM;

	free(s.packet);
	return r;
}
