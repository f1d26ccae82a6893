/* SPDX-License-Identifier: MIT */
/* Sessions over the socket of a device process: the handshake, and what else has no memory of its own. */
#include "client/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/range.h"
#include "base/socket.h"
#include "client/refuse.h"
#include "client/rpc.h"

#define WINDOW_MAX (1ull << 46) /* half of what a process can address */

int client_socket_connect(struct client_device *d, struct trn_error *err)
{
	_cleanup_close_ int sock = base_socket_connect_patiently(d->path, err);

	if (sock < 0)
		return sock;
	if (fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
		return client_refuse(err, -errno, "SocketFailed", CLIENT_HINT_RESTART, "%s: %s", d->path,
				     strerror(errno));
	return TAKE_FD(sock);
}

static int refuse_device(struct client_session *s, struct trn_error *err, const char *text)
{
	return client_refuse(err, -EPROTO, "NotADevice", "look at TRANCHE_DEVICE: it names sockets of devices",
			     "%s: %s", s->device->path, text);
}

static int ask_hello(struct client_session *s, struct trnc_hello_reply *ret, struct trn_error *err)
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

int client_socket_hello(struct client_session *s, struct client_facts *ret, struct trn_error *err)
{
	struct trnc_hello_reply hello;
	int r = ask_hello(s, &hello, err);

	if (r < 0)
		return r;
	ret->version = hello.version < TRNC_VERSION ? hello.version : TRNC_VERSION;
	ret->features = hello.features;
	ret->window_size = hello.window_size;
	memcpy(ret->uuid, hello.uuid, sizeof(ret->uuid));
	return 0;
}

static int ask_session(struct client_session *s, uint32_t version, struct trnc_session_reply *ret, int *ret_probe_fd,
		       struct trn_error *err)
{
	struct trnc_session_create create = {
		.version = version,
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
static int read_probe(struct client_session *s, int fd, uint64_t len, struct client_grant *ret, struct trn_error *err)
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
	ret->probe = TAKE_PTR(copy);
	ret->probe_len = len;
	return 0;
}

int client_socket_create(struct client_session *s, const struct client_facts *facts, struct client_grant *ret,
			 struct trn_error *err)
{
	_cleanup_close_ int probe_fd = -1;
	struct trnc_session_reply reply;
	int r = ask_session(s, facts->version, &reply, &probe_fd, err);

	if (r < 0)
		return r;
	ret->quota = reply.quota;
	ret->service = reply.service;
	ret->flags = reply.flags;
	ret->window_size = facts->window_size;
	/* Programs keep what they were told first. */
	return s->device->is_known ? 0 : read_probe(s, probe_fd, reply.probe_len, ret, err);
}

int client_socket_memory(struct client_session *s, struct trnc_memory_reply *ret, struct trn_error *err)
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

void client_socket_end_calls_locked(struct client_session *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends a poll() of another thread; the number stays ours */
	client_rpc_end_all_locked(s);
}

int client_socket_output_set(struct client_session *s, struct client_segment *seg, uint32_t data_len,
			     struct trn_error *err)
{
	struct trnc_output_set set = {
		.offset = seg->offset,
		.data_len = data_len,
		.control_seq = atomic_load(&s->control_seq),
	};
	struct client_request req = { .type = TRNC_MSG_OUTPUT_SET, .body = &set, .len = sizeof(set) };

	return client_rpc(s, &req, err);
}

static int ask_program(struct client_session *s, enum trnc_msg_type type, const void *body, size_t len,
		       uint64_t *ret_len, struct trn_error *err)
{
	struct trnc_blob_reply reply;
	struct client_request req = {
		.type = type,
		.body = body,
		.len = len,
		.reply = &reply,
		.reply_len = sizeof(reply),
	};
	int r = client_rpc(s, &req, err);

	if (r == 0)
		*ret_len = reply.len;
	return r;
}

int client_socket_build(struct client_context *c, uint64_t program, const struct client_mem *request,
			const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err)
{
	struct trnc_program_build build = {
		.context = c->id,
		.program = program,
		.request = request->offset,
		.request_len = request->size,
		.reply = reply->offset,
		.reply_cap = reply->size,
		.control_seq = atomic_load(&c->session->control_seq),
	};

	return ask_program(c->session, TRNC_MSG_PROGRAM_BUILD, &build, sizeof(build), ret_len, err);
}

int client_socket_query(struct client_context *c, uint64_t program, enum trnc_query what,
			const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err)
{
	struct trnc_program_query query = {
		.context = c->id,
		.what = what,
		.program = program,
		.reply = reply->offset,
		.reply_cap = reply->size,
		.control_seq = atomic_load(&c->session->control_seq),
	};

	return ask_program(c->session, TRNC_MSG_PROGRAM_QUERY, &query, sizeof(query), ret_len, err);
}
