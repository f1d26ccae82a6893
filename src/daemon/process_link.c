/* SPDX-License-Identifier: MIT */
/*
 * A link: one process, found by the socket in its folder.
 *
 * The folder is watched, so that the socket is heard of when it appears, whoever starts the process.  A socket has a name a
 * moment before it listens: then, and only then, connecting is tried again after a pause that begins with half a millisecond.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "daemon/process_priv.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define RETRY_FIRST_US 500u
#define RETRY_MAX_US (100u * 1000)
#define MAX_REQUESTS 64u
#define MAX_PACKETS 32 /* that are read before others have a turn */
#define MAX_LAST_PACKETS 1024 /* more than a socket holds; a child of one that has ended may go on sending */

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int daemon_link_arm(struct daemon_processes *ps, sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *data)
{
	uint64_t at = now_us() + delay_us;

	if (!*source)
		return sd_event_add_time(ps->event, source, CLOCK_MONOTONIC, at, delay_us > 1000000 ? 100000 : 1, fn, data);
	sd_event_source_set_time(*source, at);
	return sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

/* ------------------------------------------------------------ requests */

static void free_request(struct daemon_process_request *r)
{
	base_list_remove(&r->node);
	r->link->nr_requests--;
	free(r);
}

/* It is off the list before its owner hears of it, who may ask for more. */
static void answer(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	base_list_remove(&r->node);
	r->link->nr_requests--;
	if (r->answered && !r->is_over)
		r->answered(r, body, len, err);
	free(r);
}

static void answer_all(struct daemon_link *l, const struct trn_error *why)
{
	struct base_list old = { .prev = &old, .next = &old };
	struct daemon_process_request *r, *next;

	/* Those that come meanwhile are refused: there is no connection. */
	base_list_for_each_safe(r, next, &l->requests, node) {
		base_list_remove(&r->node);
		base_list_append(&old, &r->node);
	}
	while (!base_list_is_empty(&old))
		answer(base_container_of(old.next, struct daemon_process_request, node), NULL, 0, why);
}

static void watch_io(struct daemon_link *l, bool wants_out)
{
	sd_event_source_set_io_events(l->io, EPOLLIN | (wants_out ? EPOLLOUT : 0));
}

/* In order; what the socket does not take now it takes later.  An error is heard of when it is read. */
static void flush(struct daemon_link *l)
{
	struct daemon_process_request *r, *next;

	base_list_for_each_safe(r, next, &l->requests, node) {
		int e;

		if (r->is_sent)
			continue;
		e = base_send(l->sock, r->message, r->len, NULL, 0);
		if (e == -EAGAIN) {
			watch_io(l, true);
			return;
		}
		r->is_sent = true;
		if (!r->answered)
			free_request(r);
	}
	watch_io(l, false);
}

static int handle_limit(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_link *l = data;
	struct trn_error err = { 0 };
	uint64_t now = now_us(), first = 0;
	struct daemon_process_request *r;
	bool is_late = false;

	trn_error_set(&err, -ETIMEDOUT, "NoAnswer", "%s does not answer", l->what);
	/* Owners may add to the list and, by a new connection, empty it: so from the start after each of them. */
again:
	first = 0;
	base_list_for_each(r, &l->requests, node) {
		if (!r->deadline || r->is_over)
			continue;
		if (r->deadline <= now) {
			is_late = true;
			r->is_over = true;
			r->answered(r, NULL, 0, &err);
			goto again;
		}
		if (!first || r->deadline < first)
			first = r->deadline;
	}
	if (first)
		daemon_link_arm(l->ps, &l->limit, first - now, handle_limit, l);
	if (is_late && !l->is_silent && l->ops->silent) {
		l->is_silent = true;
		l->ops->silent(l);
	}
	return 0;
}

static bool is_limit_armed(struct daemon_link *l)
{
	int state = SD_EVENT_OFF;

	return l->limit && sd_event_source_get_enabled(l->limit, &state) >= 0 && state != SD_EVENT_OFF;
}

static struct daemon_process_request *new_request(struct daemon_link *l, uint32_t type, const void *body, size_t len)
{
	struct daemon_process_request *r = calloc(1, sizeof(*r));
	struct trnc_msg msg = { .type = type, .id = ++l->next_id };

	if (!r)
		return NULL;
	r->link = l;
	r->len = sizeof(msg) + ((len + 7) & ~(size_t)7);
	if (r->len > sizeof(r->message)) {
		free(r);
		return NULL;
	}
	msg.len = (uint32_t)r->len;
	memcpy(r->message, &msg, sizeof(msg));
	if (len)
		memcpy(r->message + sizeof(msg), body, len);
	base_list_append(&l->requests, &r->node);
	l->nr_requests++;
	return r;
}

int daemon_link_call(struct daemon_link *l, const struct daemon_link_call *call, struct daemon_process_request **ret)
{
	struct daemon_process_request *r;

	if (l->sock < 0)
		return -ENOTCONN;
	if (l->nr_requests >= MAX_REQUESTS)
		return -EAGAIN;
	r = new_request(l, call->type, call->body, call->len);
	if (!r)
		return -ENOMEM;
	r->answered = call->answered;
	r->data = call->data;
	r->min_reply = call->min_reply;
	r->max_reply = call->max_reply;
	if (!call->has_no_limit) {
		r->deadline = now_us() + DAEMON_ANSWER_US;
		if (!is_limit_armed(l))
			daemon_link_arm(l->ps, &l->limit, DAEMON_ANSWER_US, handle_limit, l);
	}
	*ret = r;
	flush(l);
	return 0;
}

int daemon_link_tell(struct daemon_link *l, uint32_t type, const void *body, size_t len)
{
	if (l->sock < 0)
		return -ENOTCONN;
	if (!new_request(l, type, body, len))
		return -ENOMEM;
	flush(l);
	return 0;
}

/* ------------------------------------------------------------ answers */

static int broken_answer(struct daemon_link *l, struct trn_error *err, const char *what)
{
	return trn_error_set(err, -EPROTO, "BrokenAnswer", "%s sent %s", l->what, what);
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static int take_refusal(struct daemon_link *l, const struct trnc_msg *msg, const void *body, size_t len, struct trn_error *ret,
			struct trn_error *err)
{
	const struct trnc_error_body *e = body;

	if (msg->status > 4095 || len != sizeof(*e) || !is_text(e->name, sizeof(e->name)) || !is_text(e->text, sizeof(e->text)) ||
	    !is_text(e->hint, sizeof(e->hint)))
		return broken_answer(l, err, "a refusal that cannot be read");
	trn_error_set(ret, -(int)msg->status, daemon_processes_name(l->ps, e->name), "%s",
		      e->text[0] ? e->text : strerror((int)msg->status));
	trn_error_hint(ret, "%s", e->hint);
	return 0;
}

static struct daemon_process_request *find_request(struct daemon_link *l, uint64_t id)
{
	struct daemon_process_request *r;

	base_list_for_each(r, &l->requests, node) {
		const struct trnc_msg *msg = (const void *)r->message;

		if (msg->id == id)
			return r->answered && r->is_sent ? r : NULL;
	}
	return NULL;
}

static int take_answer(struct daemon_link *l, const struct trnc_msg *msg, const void *body, size_t len, struct trn_error *err)
{
	struct daemon_process_request *r = find_request(l, msg->id);
	const struct trnc_msg *asked = r ? (const void *)r->message : NULL;
	struct trn_error refusal = { 0 };

	if (!r || (asked->type | TRNC_MSG_REPLY) != msg->type)
		return broken_answer(l, err, "an answer to nothing that it was asked");
	if (msg->status) {
		int e = take_refusal(l, msg, body, len, &refusal, err);

		if (e >= 0)
			answer(r, NULL, 0, &refusal);
		return e;
	}
	if (len < r->min_reply || len > r->max_reply)
		return broken_answer(l, err, "an answer of a wrong length");
	answer(r, body, len, NULL);
	return 0;
}

/* One packet of our buffer: nobody else writes to it. */
static int take_packet(struct daemon_link *l, size_t n, struct trn_error *err)
{
	const struct trnc_msg *msg = (const void *)l->ps->reply;
	const void *body = l->ps->reply + sizeof(*msg);
	int r;

	if (n < sizeof(*msg) || msg->len != n || msg->flags)
		return broken_answer(l, err, "a message that cannot be read");
	if (l->is_silent) {
		l->is_silent = false;
		l->ops->heard(l);
	}
	if (msg->type & TRNC_MSG_REPLY)
		return take_answer(l, msg, body, n - sizeof(*msg), err);
	r = msg->id || msg->status ? -EPROTO : l->ops->told(l, msg, body, n - sizeof(*msg));
	return r < 0 ? broken_answer(l, err, "a message that nobody knows") : 0;
}

static int take_end(struct daemon_link *l, ssize_t n, struct trn_error *err)
{
	if (n == -EMSGSIZE)
		return broken_answer(l, err, "a message that is too long");
	trn_error_set(err, -ENODEV, "ConnectionLost", "%s has closed its connection%s%s", l->what, n ? ": " : "",
		      n ? strerror((int)-n) : "");
	return err->code;
}

/* What has come.  Return: 0, or -errno: the connection is of no use any more. */
static int read_packets(struct daemon_link *l, int max, struct trn_error *err)
{
	for (int i = 0; i < max && l->sock >= 0; i++) {
		ssize_t n = base_recv(l->sock, l->ps->reply, sizeof(l->ps->reply), NULL, NULL);
		int r;

		if (n == -EAGAIN)
			return 0;
		r = n <= 0 ? take_end(l, n, err) : take_packet(l, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ------------------------------------------------------------ the connection */

void daemon_link_disconnect(struct daemon_link *l, const struct trn_error *why)
{
	l->io = sd_event_source_disable_unref(l->io);
	l->sock = base_close(l->sock);
	answer_all(l, why);
}

static void lose(struct daemon_link *l, const struct trn_error *why)
{
	/* Once: one that sends nonsense may do so for ever. */
	if (why->code == -EPROTO && !l->was_refused) {
		l->was_refused = true;
		base_log_error(BASE_LOG_WARNING, why);
	}
	daemon_link_disconnect(l, why);
	l->ops->broken(l, why);
}

static int handle_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_link *l = data;
	struct trn_error err = { 0 };

	if (revents & EPOLLOUT)
		flush(l);
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_packets(l, MAX_PACKETS, &err) < 0)
		lose(l, &err);
	return 0;
}

static int find_peer(struct daemon_link *l, int sock, struct trn_error *err)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int pidfd = -1;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return trn_error_set(err, -errno, "UnknownPeer", "cannot tell who is %s: %s", l->what, strerror(errno));
	if (cred.uid != 0 && cred.uid != l->ps->device_uid && cred.uid != geteuid())
		return trn_error_set(err, -EPERM, "WrongPeer", "who listens as %s belongs to user %u", l->what, cred.uid);
	if (l->pid && cred.pid != l->pid)
		return trn_error_set(err, -EPERM, "WrongPeer", "who listens as %s is process %d, not %d", l->what, cred.pid, l->pid);
	if (l->pid)
		return 0;
	len = sizeof(pidfd);
	/* Else by the number, which the handshake's start time makes sure of. */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
		pidfd = pidfd_open(cred.pid, 0);
	if (pidfd < 0)
		return trn_error_set(err, -errno, "UnknownPeer", "cannot watch process %d, which is %s: %s", cred.pid, l->what,
				     strerror(errno));
	return daemon_link_set_process(l, cred.pid, pidfd, false, err);
}

static void unwatch(struct daemon_link *l)
{
	if (l->watch >= 0)
		(void)inotify_rm_watch(l->ps->inotify, l->watch);
	l->watch = -1;
}

static int handle_retry(sd_event_source *source, uint64_t usec, void *data);

static void retry_later(struct daemon_link *l)
{
	l->retry_us = l->retry_us ? l->retry_us * 2 : RETRY_FIRST_US;
	if (l->retry_us > RETRY_MAX_US)
		l->retry_us = RETRY_MAX_US;
	daemon_link_arm(l->ps, &l->retry, l->retry_us, handle_retry, l);
}

/* Return: a socket; -ENOENT: there will be an event; other: it is to be tried again. */
static int open_socket(struct daemon_link *l)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, l->socket, sizeof(addr.sun_path));
	if (sock < 0 || connect(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(sock);
}

static void try_connect(struct daemon_link *l)
{
	_cleanup_close_ int sock = l->sock < 0 ? open_socket(l) : -EALREADY;
	struct trn_error err = { 0 };
	int r;

	if (sock < 0) {
		if (sock != -EALREADY && (sock != -ENOENT || l->watch < 0))
			retry_later(l);
		return;
	}
	r = find_peer(l, sock, &err);
	if (r >= 0) {
		r = sd_event_add_io(l->ps->event, &l->io, sock, EPOLLIN, handle_io, l);
		if (r < 0)
			trn_error_set(&err, r, "NoEventLoop", "cannot watch %s: %s", l->what, strerror(-r));
	}
	if (r < 0) {
		l->ops->broken(l, &err);
		return;
	}
	l->sock = TAKE_FD(sock);
	l->retry_us = 0;
	unwatch(l);
	l->ops->connected(l);
}

static int handle_retry(sd_event_source *source, uint64_t usec, void *data)
{
	try_connect(data);
	return 0;
}

void daemon_link_connect(struct daemon_link *l, uint64_t delay_us)
{
	l->retry_us = 0;
	daemon_link_arm(l->ps, &l->retry, delay_us, handle_retry, l);
}

/* ------------------------------------------------------------ the folder */

static void look(struct daemon_processes *ps, const struct inotify_event *e)
{
	struct daemon_link *l;

	base_list_for_each(l, &ps->links, node) {
		if (l->watch != e->wd)
			continue;
		if (e->len && !strcmp(e->name, strrchr(l->socket, '/') + 1)) {
			l->retry_us = 0;
			try_connect(l);
		}
		return; /* the list may be another one now */
	}
}

/* Events were lost: each is as likely to be there as not. */
static void look_at_all(struct daemon_processes *ps)
{
	struct daemon_link *l;

	base_list_for_each(l, &ps->links, node)
		if (l->watch >= 0 && l->sock < 0)
			daemon_link_connect(l, 0);
}

static int handle_inotify(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct daemon_processes *ps = data;
	ssize_t n = read(fd, buf, sizeof(buf));

	for (char *at = buf; n > 0 && at < buf + n;) {
		const struct inotify_event *e = (const void *)at;

		if (e->mask & IN_Q_OVERFLOW)
			look_at_all(ps);
		else
			look(ps, e);
		at += sizeof(*e) + e->len;
	}
	return 0;
}

static int open_inotify(struct daemon_processes *ps)
{
	int r = 0;

	if (ps->inotify < 0) {
		ps->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		r = ps->inotify < 0 ? -errno : sd_event_add_io(ps->event, &ps->inotify_io, ps->inotify, EPOLLIN, handle_inotify, ps);
	}
	return r;
}

int daemon_link_watch(struct daemon_link *l, struct trn_error *err)
{
	char folder[DAEMON_SOCKET_PATH];
	int r;

	if (l->watch >= 0)
		return 0;
	r = open_inotify(l->ps);
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(l->socket, '/') - l->socket), l->socket);
	if (r >= 0)
		l->watch = inotify_add_watch(l->ps->inotify, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (r < 0 || l->watch < 0) {
		r = r < 0 ? r : -errno;
		trn_error_set(err, r, "CannotWatch", "cannot watch the folder of %s: %s", l->what, strerror(-r));
		return trn_error_hint(err, "raise fs.inotify.max_user_watches or fs.inotify.max_user_instances");
	}
	return 0;
}

/* ------------------------------------------------------------ the process */

static void reap(struct daemon_link *l)
{
	siginfo_t info = { 0 };

	if (!l->is_child || waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED | WNOHANG) < 0 || !info.si_pid)
		return;
	l->has_status = true;
	l->exit_code = info.si_code;
	l->exit_status = info.si_status;
}

static void forget_process(struct daemon_link *l)
{
	l->exit_io = sd_event_source_disable_unref(l->exit_io);
	l->pidfd = base_close(l->pidfd);
	l->pid = 0;
	l->is_child = false;
}

static int handle_exit(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct daemon_link *l = data;
	struct trn_error err = { 0 };

	/* Its last words: the answer to STOP. */
	(void)read_packets(l, MAX_LAST_PACKETS, &err);
	memset(&err, 0, sizeof(err));
	trn_error_set(&err, -ENODEV, "Ended", "the process of %s has ended", l->what);
	daemon_link_disconnect(l, &err);
	if (l->retry)
		sd_event_source_set_enabled(l->retry, SD_EVENT_OFF);
	reap(l);
	forget_process(l);
	l->ops->ended(l);
	return 0;
}

int daemon_link_set_process(struct daemon_link *l, pid_t pid, int pidfd, bool is_child, struct trn_error *err)
{
	int r = sd_event_add_io(l->ps->event, &l->exit_io, pidfd, EPOLLIN, handle_exit, l);

	if (r < 0) {
		base_close(pidfd);
		return trn_error_set(err, r, "NoEventLoop", "cannot watch process %d: %s", pid, strerror(-r));
	}
	l->pid = pid;
	l->pidfd = pidfd;
	l->is_child = is_child;
	l->has_status = false;
	return 0;
}

void daemon_link_kill(struct daemon_link *l)
{
	daemon_spawn_kill(l->pidfd);
}

int daemon_link_init(struct daemon_link *l, struct daemon_processes *ps, const struct daemon_link_ops *ops, const char *folder_path,
		     int folder, const char *socket_name, const char *what, struct trn_error *err)
{
	int n;

	*l = (struct daemon_link){ .ps = ps, .ops = ops, .folder = folder, .watch = -1, .what = what, .pidfd = -1, .sock = -1 };
	base_list_init(&l->requests);
	base_list_append(&ps->links, &l->node);
	n = snprintf(l->socket, sizeof(l->socket), "%s/%s", folder_path, socket_name);
	if (n < 0 || (size_t)n >= sizeof(l->socket)) {
		trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the path of the socket of %s has %d bytes, it can have %zu", what, n,
			      sizeof(l->socket) - 1);
		return trn_error_hint(err, "choose a shorter runtime directory");
	}
	return 0;
}

void daemon_link_finish(struct daemon_link *l)
{
	struct daemon_process_request *r, *next;

	unwatch(l);
	l->io = sd_event_source_disable_unref(l->io);
	l->retry = sd_event_source_disable_unref(l->retry);
	l->limit = sd_event_source_disable_unref(l->limit);
	l->sock = base_close(l->sock);
	base_list_for_each_safe(r, next, &l->requests, node)
		free_request(r);
	forget_process(l);
	l->folder = base_close(l->folder);
	base_list_remove(&l->node);
}
