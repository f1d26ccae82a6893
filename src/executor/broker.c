/* SPDX-License-Identifier: MIT */
/*
 * One thread reads from the broker, and hands replies to those who wait for them.  It also watches the folders of
 * programs that came: the host's driver makes a folder there for each work-group function that it compiles, and the broker
 * hears which these are, so that the next program finds them made.
 */
#include "executor/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/log.h"
#include "executor/broker_files.h"
#include "executor/broker_watch.h"
#include "executor/executor.h"
#include "tranche/wire/parent.h"

/* As the broker's; it is trusted, but a slip must not take all memory. */
#define MAX_FILES 4096u

struct ask {
	struct base_list node;
	uint64_t id;
	uint32_t device;
	bool is_done;
	int status; /* 0 or -errno */
	struct exec_broker_answer answer;
	struct exec_broker_files files;
};

struct exec_broker {
	int sock;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct base_list asks;
	uint64_t last_id;
	bool has_thread, is_gone;
	pthread_mutex_t send_lock;

	/* the thread's own */
	struct exec_broker_watch *watch;
	int fds[256]; /* received, in the order of their files */
	unsigned int nr_fds;
};

/* Where there is none, the number may be anything's. */
static bool has_broker(void)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(TRNC_EXEC_BROKER_FD, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       getsockopt(TRNC_EXEC_BROKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && domain == AF_UNIX &&
	       type == SOCK_STREAM;
}

void exec_broker_close(void)
{
	if (has_broker())
		base_close(TRNC_EXEC_BROKER_FD);
}

struct exec_broker *exec_broker_open(void)
{
	struct exec_broker *b;

	if (!has_broker())
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->sock = TRNC_EXEC_BROKER_FD;
	base_list_init(&b->asks);
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->send_lock, NULL);
	pthread_cond_init(&b->answered, NULL);
	return b;
}

/* --------------------------------------------------------------- sending */

static int send_all(struct exec_broker *b, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = send(b->sock, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_message(struct exec_broker *b, uint32_t type, uint64_t id, const void *head, size_t head_len,
			const void *body, size_t body_len)
{
	const struct trnc_msg msg = {
		.type = type, .len = (uint32_t)(sizeof(msg) + head_len + body_len), .id = id,
	};
	int r;

	pthread_mutex_lock(&b->send_lock);
	r = send_all(b, &msg, sizeof(msg));
	if (r == 0)
		r = send_all(b, head, head_len);
	if (r == 0)
		r = send_all(b, body, body_len);
	pthread_mutex_unlock(&b->send_lock);
	return r;
}

static void report(void *arg, uint64_t compile, const struct trnc_broker_variant *variants, uint32_t nr)
{
	const struct trnc_broker_used used = { .compile = compile, .nr_variants = nr };

	(void)send_message(arg, TRNC_BROKER_USED, compile, &used, sizeof(used), variants, nr * sizeof(*variants));
}

/* ------------------------------------------------------------- receiving */

static void keep_fds(struct exec_broker *b, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t nr = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ?
				    (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) :
				    0;

		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (b->nr_fds < sizeof(b->fds) / sizeof(b->fds[0]))
				b->fds[b->nr_fds++] = fd;
			else
				base_close(fd);
		}
	}
}

static int receive(struct exec_broker *b, void *data, size_t len)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(64 * sizeof(int))];
	uint8_t *p = data;

	while (len) {
		struct iovec iov = { .iov_base = p, .iov_len = len };
		struct msghdr m = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(b->sock, &m, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		keep_fds(b, &m);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_file(struct exec_broker *b, struct ask *a)
{
	struct trnc_broker_file f;
	int fd, r = receive(b, &f, sizeof(f));

	if (r < 0)
		return r;
	if (b->nr_fds == 0 || f.name[sizeof(f.name) - 1])
		return -EPROTO;
	fd = b->fds[0];
	memmove(b->fds, b->fds + 1, --b->nr_fds * sizeof(int));
	return exec_broker_files_add(&a->files, f.name, f.size, fd);
}

static int receive_answer(struct exec_broker *b, struct ask *a, size_t len)
{
	struct trnc_broker_reply reply;
	int r = len < sizeof(reply) ? -EPROTO : receive(b, &reply, sizeof(reply));

	if (r < 0)
		return r;
	if (reply.nr_files > MAX_FILES || reply.blob_len > TRNC_MAX_BLOB || reply.program[sizeof(reply.program) - 1] ||
	    len != sizeof(reply) + reply.nr_files * sizeof(struct trnc_broker_file) + reply.blob_len)
		return -EPROTO;
	for (uint32_t i = 0; i < reply.nr_files && r == 0; i++)
		r = receive_file(b, a);
	if (r < 0)
		return r;
	a->answer = (struct exec_broker_answer){
		.is_final = reply.flags & TRNC_BROKER_REPLY_FINAL,
		.is_stored = reply.flags & TRNC_BROKER_REPLY_STORED,
		.blob = malloc(reply.blob_len + 1u),
		.blob_len = reply.blob_len,
	};
	if (!a->answer.blob)
		return -ENOMEM;
	r = receive(b, a->answer.blob, reply.blob_len);
	if (r == 0)
		memcpy(a->answer.program, reply.program, sizeof(reply.program));
	if (r == 0 && reply.program[0] && a->device == TRNC_BROKER_MAIN)
		exec_broker_watch_program(&b->watch, a->id, reply.program, &a->files, a->answer.blob, a->answer.blob_len);
	return r;
}

static int receive_refusal(struct exec_broker *b, struct ask *a, const struct trnc_msg *m, size_t len)
{
	struct trnc_error_body body;
	int r = len == sizeof(body) ? receive(b, &body, sizeof(body)) : -EPROTO;

	if (r < 0)
		return r;
	body.text[sizeof(body.text) - 1] = '\0';
	log_debug("broker: %s", body.text);
	a->status = m->status < 4096 ? -(int)m->status : -EIO;
	return 0;
}

static struct ask *find_ask(struct exec_broker *b, uint64_t id)
{
	struct ask *a, *found = NULL;

	pthread_mutex_lock(&b->lock);
	base_list_for_each(a, &b->asks, node)
		if (a->id == id && !a->is_done)
			found = a;
	pthread_mutex_unlock(&b->lock);
	return found;
}

/* One reply. The asker stays until it is done. */
static int receive_reply(struct exec_broker *b)
{
	struct trnc_msg m;
	struct ask *a;
	int r = receive(b, &m, sizeof(m));

	if (r < 0)
		return r;
	a = m.type == (TRNC_BROKER_COMPILE | TRNC_MSG_REPLY) && m.len >= sizeof(m) ? find_ask(b, m.id) : NULL;
	if (!a)
		return -EPROTO;
	r = m.status ? receive_refusal(b, a, &m, m.len - sizeof(m)) : receive_answer(b, a, m.len - sizeof(m));
	if (r < 0)
		return r;
	pthread_mutex_lock(&b->lock);
	a->is_done = true;
	pthread_cond_broadcast(&b->answered);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

/* Nobody answers any more. */
static void give_up(struct exec_broker *b)
{
	struct ask *a;

	pthread_mutex_lock(&b->lock);
	b->is_gone = true;
	base_list_for_each(a, &b->asks, node) {
		if (!a->is_done)
			a->status = -EPIPE;
		a->is_done = true;
	}
	pthread_cond_broadcast(&b->answered);
	pthread_mutex_unlock(&b->lock);
}

static void *thread_main(void *arg)
{
	struct exec_broker *b = arg;
	int r = 0;

	while (r == 0) {
		struct pollfd p[2] = {
			{ .fd = b->sock, .events = POLLIN },
			{ .fd = exec_broker_watch_fd(b->watch), .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0) {
			r = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (p[1].revents)
			exec_broker_watch_read(b->watch, report, b);
		if (p[0].revents)
			r = receive_reply(b);
	}
	log_debug("broker: %s", strerror(-r));
	give_up(b);
	return NULL;
}

/* ---------------------------------------------------------------- asking */

static int begin_ask(struct exec_broker *b, struct ask *a)
{
	pthread_t thread;
	int r = 0;

	pthread_mutex_lock(&b->lock);
	if (b->is_gone)
		r = -ENOTCONN;
	else if (!b->has_thread) {
		r = -pthread_create(&thread, NULL, thread_main, b);
		if (r == 0) {
			pthread_detach(thread);
			b->has_thread = true;
		}
	}
	if (r == 0) {
		a->id = ++b->last_id;
		base_list_append(&b->asks, &a->node);
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}

static int await(struct exec_broker *b, struct ask *a)
{
	pthread_mutex_lock(&b->lock);
	while (!a->is_done)
		pthread_cond_wait(&b->answered, &b->lock);
	base_list_remove(&a->node);
	pthread_mutex_unlock(&b->lock);
	return a->status;
}

int exec_broker_ask(struct executor *ex, uint32_t device, const void *request, size_t len,
		    struct exec_broker_answer *ret)
{
	const struct trnc_broker_compile head = {
		.device = device, .host_device = ex->host_device, .identity = ex->host.identity,
	};
	struct exec_broker *b = ex->broker;
	struct ask a = { .device = device };
	int r;

	if (!b || len > TRNC_MAX_BLOB - 4096)
		return -ENOTCONN;
	r = begin_ask(b, &a);
	if (r < 0)
		return r;
	r = send_message(b, TRNC_BROKER_COMPILE, a.id, &head, sizeof(head), request, len);
	if (r < 0)
		shutdown(b->sock, SHUT_RDWR); /* half a message: the thread sees the end and tells all */
	r = await(b, &a);
	if (r == 0)
		r = exec_broker_files_write(&a.files);
	exec_broker_files_finish(&a.files);
	if (r == 0)
		*ret = a.answer;
	else
		exec_broker_answer_finish(&a.answer);
	return r;
}

void exec_broker_tell_gate(struct exec_broker *b)
{
	if (b)
		(void)send_message(b, TRNC_BROKER_GATE, 0, NULL, 0, NULL, 0);
}

void exec_broker_answer_finish(struct exec_broker_answer *a)
{
	free(a->blob);
	*a = (struct exec_broker_answer){ 0 };
}
