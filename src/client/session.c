/* SPDX-License-Identifier: MIT */
#include "client/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/range.h"
#include "base/socket.h"
#include "client/context.h"
#include "client/output.h"
#include "client/refuse.h"
#include "client/rpc.h"
#include "client/segments.h"

#define WINDOW_MAX (1ull << 46) /* half of what a process can address */

/* ----------------------------------------------------------------- loss */

static void print_loss(const struct trn_error *why)
{
	if (secure_getenv("TRANCHE_QUIET"))
		return;
	fprintf(stderr, "tranche: %s\n", why->text);
}

void client_session_lose_locked(struct client_session *s, const struct trn_error *why)
{
	struct client_context *c;

	if (atomic_load(&s->lost))
		return;
	s->why_lost = *why;
	s->why_lost.code = -ESHUTDOWN;
	atomic_store(&s->lost, true);
	if (s->is_up)
		print_loss(&s->why_lost);

	shutdown(s->sock, SHUT_RDWR); /* ends a poll() of another thread; the number stays ours */
	client_rpc_end_all_locked(s);
	base_list_for_each(c, &s->contexts, node)
		client_context_wake(c);
}

void client_session_lose(struct client_session *s, const struct trn_error *why)
{
	pthread_mutex_lock(&s->lock);
	client_session_lose_locked(s, why);
	pthread_mutex_unlock(&s->lock);
}

int client_session_refuse_lost(struct client_session *s, struct trn_error *err)
{
	if (client_session_is_foreign(s))
		return client_refuse(err, -ESHUTDOWN, "Forked", "make a context of its own in the child",
				     "the connection to %s belongs to the parent process", s->device->path);
	/* why_lost does not change once lost is set. */
	return client_refuse(err, -ESHUTDOWN, s->why_lost.name, s->why_lost.hint, "%s", s->why_lost.text);
}

bool client_session_is_lost(const struct client_session *s)
{
	return client_session_is_gone(s);
}

bool client_session_is_coherent(const struct client_session *s)
{
	return s->flags & TRNC_SESSION_COHERENT;
}

bool client_session_has_svm(const struct client_session *s)
{
	return s->features & TRNC_FEATURE_SVM && s->flags & TRNC_SESSION_SVM;
}

/* -------------------------------------------------------------- connect */

static int refuse_device(struct client_session *s, struct trn_error *err, const char *text)
{
	return client_refuse(err, -EPROTO, "NotADevice", "look at TRANCHE_DEVICE: it names sockets of devices",
			     "%s: %s", s->device->path, text);
}

static int say_hello(struct client_session *s, struct trnc_hello_reply *ret, struct trn_error *err)
{
	struct trnc_hello hello = { .magic = TRNC_MAGIC };
	struct client_request req = {
		.type = TRNC_MSG_HELLO,
		.body = &hello,
		.len = sizeof(hello),
		.reply = ret,
		.reply_len = sizeof(*ret),
	};
	int r = client_rpc(s, &req, err);

	if (r < 0)
		return r;
	if (ret->magic != TRNC_MAGIC)
		return refuse_device(s, err, "what listens there is no compute device");
	if (ret->version < TRNC_VERSION_OLDEST || ret->version_oldest > TRNC_VERSION)
		return client_refuse(err, -EPROTO, "VersionMismatch", CLIENT_HINT_RESTART,
				     "%s speaks versions %u to %u of the wire, this driver %u to %u", s->device->path,
				     ret->version_oldest, ret->version, TRNC_VERSION_OLDEST, TRNC_VERSION);
	if (ret->window_size == 0 || ret->window_size > WINDOW_MAX || !base_is_page_aligned(ret->window_size))
		return refuse_device(s, err, "its window has an impossible size");
	return 0;
}

static int create_session(struct client_session *s, const struct trnc_hello_reply *hello,
			  struct trnc_session_reply *ret, int *ret_probe_fd, struct trn_error *err)
{
	struct trnc_session_create create = {
		.version = hello->version < TRNC_VERSION ? hello->version : TRNC_VERSION,
		.window_base = (uint64_t)(uintptr_t)s->window,
		.features = s->features,
	};
	struct client_request req = {
		.type = TRNC_MSG_SESSION_CREATE,
		.body = &create,
		.len = sizeof(create),
		.reply = ret,
		.reply_len = sizeof(*ret),
		.ret_fd = ret_probe_fd,
	};
	int r;

	if (!getcwd(create.cwd, sizeof(create.cwd)))
		memset(create.cwd, 0, sizeof(create.cwd)); /* too long or gone: no relative include paths then */
	r = client_rpc(s, &req, err);
	if (r < 0)
		return r;
	if (ret->session == 0 || ret->reserved != 0 || ret->probe_len > TRNC_MAX_BLOB)
		return refuse_device(s, err, "its answer to SESSION_CREATE makes no sense");
	return 0;
}

/* A private copy: the file is read, not mapped, so that nobody can change or cut it under us. */
static int read_probe(struct client_session *s, int fd, uint64_t len, struct trn_error *err)
{
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);
	uint64_t have = 0;

	if (!copy)
		return client_refuse_memory(err);
	while (have < len) {
		ssize_t n = pread(fd, copy + have, len - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return refuse_device(s, err, "its probe blob cannot be read");
		have += (uint64_t)n;
	}
	s->device->probe = TAKE_PTR(copy);
	s->device->probe_len = len;
	return 0;
}

/* With device->lock held. The first connection tells what the device is; programs keep what they were told. */
static int learn_device(struct client_session *s, const struct trnc_hello_reply *hello,
			const struct trnc_session_reply *reply, int probe_fd, struct trn_error *err)
{
	struct client_device *d = s->device;
	int r;

	if (d->is_known)
		return 0;
	r = read_probe(s, probe_fd, reply->probe_len, err);
	if (r < 0)
		return r;
	memcpy(d->uuid, hello->uuid, sizeof(d->uuid));
	d->quota = reply->quota;
	d->has_svm = client_session_has_svm(s);
	d->is_known = true;
	return 0;
}

static int shake_hands(struct client_session *s, struct trn_error *err)
{
	_cleanup_close_ int probe_fd = -1;
	struct trnc_hello_reply hello;
	struct trnc_session_reply reply;
	int r;

	r = say_hello(s, &hello, err);
	if (r < 0)
		return r;
	r = client_window_open(s, hello.window_size, hello.features & TRNC_FEATURE_SVM);
	if (r < 0)
		return client_refuse_memory(err);
	s->features = s->window ? hello.features & TRNC_FEATURE_SVM : 0;
	r = create_session(s, &hello, &reply, &probe_fd, err);
	if (r < 0)
		return r;
	s->flags = reply.flags;
	client_session_account(s, TRNC_SEGMENT_BUFFER)->limit = reply.quota;
	client_session_account(s, TRNC_SEGMENT_SERVICE)->limit = reply.service;
	r = learn_device(s, &hello, &reply, probe_fd, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	s->is_up = true;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Nobody uses it any more. Not for a forked child's copy: its locks may be held by threads that are not here. */
static void destroy_session(struct client_session *s)
{
	struct client_segment *seg, *next;

	client_fork_unregister(s);
	client_output_stop(s);
	base_list_for_each_safe(seg, next, &s->dying, node) {
		base_list_remove(&seg->node);
		free(seg);
	}
	base_close(s->sock);
	client_window_close(s);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->reap_lock);
	pthread_mutex_destroy(&s->output_lock);
	free(s);
}

static struct client_session *new_session(struct client_device *d, int sock)
{
	struct client_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->device = d;
	s->sock = sock;
	s->refs = 1;
	s->process = client_process();
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->reap_lock, NULL);
	pthread_mutex_init(&s->output_lock, NULL);
	base_list_init(&s->node);
	base_list_init(&s->calls);
	base_list_init(&s->dying);
	base_list_init(&s->contexts);
	return s;
}

static int connect_session(struct client_device *d, struct client_session **ret, struct trn_error *err)
{
	_cleanup_close_ int sock = base_socket_connect(d->path, err);
	struct client_session *s;
	int r;

	if (sock < 0)
		return sock;
	if (fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
		return client_refuse(err, -errno, "SocketFailed", CLIENT_HINT_RESTART, "%s: %s", d->path,
				     strerror(errno));
	s = new_session(d, sock);
	if (!s)
		return client_refuse_memory(err);
	sock = -1;
	client_fork_register(s);

	r = shake_hands(s, err);
	if (r < 0) {
		destroy_session(s);
		return r;
	}
	*ret = s;
	return 0;
}

int client_session_get(struct client_device *d, struct client_session **ret, struct trn_error *err)
{
	int r = 0;

	pthread_mutex_lock(&d->lock);
	if (d->live)
		client_rpc_drain(d->live, 0); /* a farewell may be waiting there */
	if (d->live && !client_session_is_lost(d->live)) {
		d->live->refs++;
		*ret = d->live;
	} else {
		d->live = NULL; /* its users keep it alive */
		r = connect_session(d, &d->live, err);
		if (r == 0)
			*ret = d->live;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

struct client_session *client_session_ref(struct client_session *s)
{
	if (client_session_is_foreign(s))
		return s;
	pthread_mutex_lock(&s->device->lock);
	s->refs++;
	pthread_mutex_unlock(&s->device->lock);
	return s;
}

struct client_session *client_session_put(struct client_session *s)
{
	struct client_device *d;
	bool is_last;

	/* What a child inherited it leaves alone, memory and all. */
	if (!s || client_session_is_foreign(s))
		return NULL;
	d = s->device;
	pthread_mutex_lock(&d->lock);
	is_last = --s->refs == 0;
	if (is_last && d->live == s)
		d->live = NULL;
	pthread_mutex_unlock(&d->lock);
	if (is_last)
		destroy_session(s);
	return NULL;
}

int client_session_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err)
{
	struct trnc_memory_reply reply;
	struct client_request req = {
		.type = TRNC_MSG_MEMORY_QUERY,
		.reply = &reply,
		.reply_len = sizeof(reply),
	};
	int r = client_rpc(s, &req, err);

	if (r == 0)
		*ret = reply;
	return r;
}
