/* SPDX-License-Identifier: MIT */
/* One connection: from the first message to the last thing that is given back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/peer.h"
#include "base/range.h"
#include "base/socket.h"
#include "parents/compute/priv.h"

/* A client that lets more replies lie than this is ended. */
#define MAX_UNREAD (4u << 20)

static struct compute_session *session_of(struct compute_link *client)
{
	return base_container_of(client, struct compute_session, client);
}

/* ------------------------------------------------------------- messages */

static void handle_hello(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_hello *hello = body;
	struct trnc_hello_reply reply = {
		.magic = TRNC_MAGIC,
		.version = TRNC_VERSION,
		.version_oldest = TRNC_VERSION_OLDEST,
		.features = TRNC_FEATURE_SVM,
		.window_size = compute_window_size(s->device),
	};
	const char *uuid = trn_device_uuid(s->device->dev);

	if (hello->magic != TRNC_MAGIC || hello->reserved) {
		compute_refuse(s, m, -EPROTO, "BadMagic", "this is a compute device, HELLO says 0x%08x", hello->magic);
		return;
	}
	for (size_t i = 0; i < sizeof(reply.uuid); i++) {
		unsigned int byte = 0;

		if (*uuid == '-')
			uuid++;
		if (sscanf(uuid, "%2x", &byte) != 1)
			break;
		reply.uuid[i] = (__u8)byte;
		uuid += 2;
	}
	s->window_size = reply.window_size;
	s->state = SESSION_GREETED;
	compute_reply(s, m->type, m->id, &reply, sizeof(reply), -1);
}

static int check_session_create(const struct trnc_session_create *c, uint64_t window_size, struct trn_error *err)
{
	uint64_t end;

	if (c->version < TRNC_VERSION_OLDEST || c->version > TRNC_VERSION)
		return trn_error_set(err, -EPROTO, "BadVersion", "version %u was asked for, the device speaks %u to %u",
				     c->version, TRNC_VERSION_OLDEST, TRNC_VERSION);
	if (c->reserved || c->features & ~TRNC_FEATURE_SVM)
		return trn_error_set(err, -EINVAL, "BadFeatures", "features 0x%llx were not offered",
				     (unsigned long long)c->features);
	if (!base_is_page_aligned(c->window_base) || __builtin_add_overflow(c->window_base, window_size, &end) ||
	    (c->features & TRNC_FEATURE_SVM && !c->window_base))
		return trn_error_set(err, -EINVAL, "BadWindow", "the window's address cannot be 0x%llx",
				     (unsigned long long)c->window_base);
	if (!memchr(c->cwd, '\0', sizeof(c->cwd)))
		return trn_error_set(err, -EINVAL, "BadFolder", "the working folder has no end");
	return 0;
}

static void send_setup(struct compute_session *s, const struct trnc_session_create *c)
{
	const struct compute_device *d = s->device;
	uint64_t host = compute_host_memory(), heap = host / 2;
	struct {
		struct trnc_msg head;
		struct trnc_exec_setup setup;
	} packet = {
		.head = { .type = TRNC_EXEC_SETUP, .len = sizeof(packet), .id = 1 },
		.setup = {
			.host_device = d->config->host_device,
			.flags = compute_executor_flags(d->config),
			.window_base = c->features & TRNC_FEATURE_SVM ? c->window_base : 0,
			.window_size = s->window_size,
		},
	};

	/* Compilers, private copies of a host that does not use buffers in place, stacks. */
	if (heap < (1ull << 30))
		heap = 1ull << 30;
	packet.setup.heap_limit = heap + d->stats.quota;
	snprintf(packet.setup.cwd, sizeof(packet.setup.cwd), "%s", c->cwd);
	compute_link_send(&s->executor->link, &packet, sizeof(packet), -1);
}

/*
 * Will the executor be able to put the window there?  What one of this device could, each can, where no program and no
 * library goes.
 */
static bool can_promise(const struct compute_session *s, const struct trnc_session_create *c)
{
	if (s->device->probe.fd < 0)
		return false;
	if (!(c->features & TRNC_FEATURE_SVM))
		return true;
	return s->device->probe.flags & TRNC_SESSION_SVM && c->window_base >= TRNC_WINDOW_FROM &&
	       c->window_base <= TRNC_WINDOW_TO - s->window_size;
}

static void answer_create(struct compute_session *s)
{
	const struct compute_device *d = s->device;
	struct trnc_session_reply reply = {
		.session = s->number,
		.quota = d->stats.quota,
		.service = COMPUTE_SERVICE_ALLOWANCE,
		.flags = (d->probe.flags & TRNC_SESSION_COHERENT) | (s->has_svm ? TRNC_SESSION_SVM : 0),
		.probe_len = d->probe.len,
	};

	s->state = SESSION_UP;
	s->is_answered = true;
	s->device->stats.sessions++;
	log_info("session %llu of %s begins", (unsigned long long)s->number, s->peer);
	compute_reply(s, TRNC_MSG_SESSION_CREATE, s->create_id, &reply, sizeof(reply), d->probe.fd);
}

static void handle_session_create(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_session_create *c = body;
	struct trn_error err = { 0 };

	if (check_session_create(c, s->window_size, &err) < 0 || compute_executor_start(s, &err) < 0) {
		compute_reply_error(s, m->type, m->id, &err);
		return;
	}
	s->create_id = m->id;
	s->state = SESSION_STARTING;
	s->wants_svm = c->features & TRNC_FEATURE_SVM;
	send_setup(s, c);
	/* What the host's device is was told by an earlier executor: this one may get ready meanwhile. */
	if (can_promise(s, c)) {
		s->has_svm = s->wants_svm;
		answer_create(s);
	}
}

static void handle_memory_query(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct compute_device *d = s->device;
	struct trnc_memory_reply reply = {
		.quota = d->stats.quota,
		.used = d->stats.used,
		.session_used = s->segments.used[TRNC_SEGMENT_BUFFER - 1],
		.service_used = s->segments.used[TRNC_SEGMENT_SERVICE - 1],
	};

	compute_reply(s, m->type, m->id, &reply, sizeof(reply), -1);
}

static const struct handler {
	size_t body_len;
	enum compute_session_state state; /* the only one in which the message is right */
	const char *name;
	void (*handle)(struct compute_session *s, const struct trnc_msg *m, const void *body);
} handlers[] = {
	[TRNC_MSG_HELLO] = { sizeof(struct trnc_hello), SESSION_NEW, "HELLO", handle_hello },
	[TRNC_MSG_SESSION_CREATE] = { sizeof(struct trnc_session_create), SESSION_GREETED, "SESSION_CREATE",
				      handle_session_create },
	[TRNC_MSG_SEGMENT_CREATE] = { sizeof(struct trnc_segment_create), SESSION_UP, "SEGMENT_CREATE",
				      compute_segment_handle_create },
	[TRNC_MSG_SEGMENT_DESTROY] = { sizeof(struct trnc_segment_destroy), SESSION_UP, "SEGMENT_DESTROY",
				       compute_segment_handle_destroy },
	[TRNC_MSG_CONTEXT_CREATE] = { sizeof(struct trnc_context_create), SESSION_UP, "CONTEXT_CREATE",
				      compute_context_handle_create },
	[TRNC_MSG_CONTEXT_DESTROY] = { sizeof(struct trnc_context_destroy), SESSION_UP, "CONTEXT_DESTROY",
				       compute_context_handle_destroy },
	[TRNC_MSG_EVENT_BLOCK_ADD] = { sizeof(struct trnc_event_block_add), SESSION_UP, "EVENT_BLOCK_ADD",
				       compute_relay_event_block },
	[TRNC_MSG_OUTPUT_SET] = { sizeof(struct trnc_output_set), SESSION_UP, "OUTPUT_SET", compute_relay_output },
	[TRNC_MSG_PROGRAM_BUILD] = { sizeof(struct trnc_program_build), SESSION_UP, "PROGRAM_BUILD",
				     compute_relay_build },
	[TRNC_MSG_PROGRAM_QUERY] = { sizeof(struct trnc_program_query), SESSION_UP, "PROGRAM_QUERY",
				     compute_relay_query },
	[TRNC_MSG_MEMORY_QUERY] = { 0, SESSION_UP, "MEMORY_QUERY", handle_memory_query },
};

#define NR_HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/* Nothing is done for a packet that is no message; what can be read of it is answered. */
static void refuse_packet(struct compute_session *s, const void *data, size_t len)
{
	struct trnc_msg m = { 0 };

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	compute_refuse(s, &m, -EBADMSG, "BadPacket", "a packet of %zu bytes is no message", len);
}

static void handle_packet(struct compute_link *link, const void *data, size_t len, int *fd)
{
	struct compute_session *s = session_of(link);
	const struct handler *h;
	struct trnc_msg m;

	if (len < sizeof(m) || len > TRNC_MSG_MAX) {
		refuse_packet(s, data, len);
		return;
	}
	memcpy(&m, data, sizeof(m));
	if (m.len != len || m.len % 8) {
		refuse_packet(s, data, len);
		return;
	}
	h = m.type < NR_HANDLERS && handlers[m.type].handle ? &handlers[m.type] : NULL;
	if (!h)
		compute_refuse(s, &m, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u", m.type);
	else if (m.id == 0 || m.status || m.flags)
		compute_refuse(s, &m, -EINVAL, "BadMessage",
			       "%s with id %llu, status %u and flags 0x%x: the id must not be 0, the others must", h->name,
			       (unsigned long long)m.id, m.status, m.flags);
	else if (m.len - sizeof(m) != h->body_len)
		compute_refuse(s, &m, -EINVAL, "BadLength", "the body of %s has %zu bytes, not %zu", h->name,
			       h->body_len, len - sizeof(m));
	else if (s->state != h->state)
		compute_refuse(s, &m, -EPROTO, "WrongState", "%s cannot come now", h->name);
	else
		h->handle(s, &m, (const uint8_t *)data + sizeof(m));
}

/* ----------------------------------------------------------------- life */

static void handle_client_ended(struct compute_link *link, int reason)
{
	struct compute_session *s = session_of(link);
	struct trn_error err = { 0 };

	if (s->state == SESSION_ENDING) { /* it has taken its farewell, or never will */
		compute_link_close(link);
		compute_device_schedule_gc(s->device);
		return;
	}
	if (reason == -ENOBUFS)
		log_warning("session %llu of %s does not read its replies and is ended",
			    (unsigned long long)s->number, s->peer);
	trn_error_set(&err, -ESHUTDOWN, "ClientGone", "the client is gone");
	compute_session_lose(s, TRNC_LOST_DEVICE, &err);
}

static const struct compute_link_ops client_ops = {
	.receive = handle_packet,
	.ended = handle_client_ended,
};

static int open_session(struct compute_session *s, int sock, struct trn_error *err)
{
	int r = trn_device_open(s->device->dev, s->peer, s, &s->use, err);

	if (r < 0)
		return r;
	r = compute_link_open(&s->client, s->device->config->event, sock);
	if (r < 0)
		return trn_error_set(err, r, "NoMemory", "cannot serve a connection: %s", strerror(-r));
	return 0;
}

void compute_session_create(struct compute_device *d, int sock)
{
	struct compute_session *s = calloc(1, sizeof(*s));
	struct trn_error err = { 0 };
	uint8_t farewell[COMPUTE_FAREWELL_LEN];

	if (!s) {
		base_close(sock);
		return;
	}
	s->device = d;
	base_list_init(&s->node);
	compute_link_init(&s->client, &client_ops, MAX_UNREAD, false);
	compute_segments_init(&s->segments);
	compute_pendings_init(&s->pendings);
	base_peer_describe(sock, s->peer);
	if (open_session(s, sock, &err) < 0) {
		compute_make_farewell(&err, farewell);
		(void)base_send(sock, farewell, sizeof(farewell), NULL, 0);
		base_close(sock);
		trn_use_close(s->use);
		free(s);
		return;
	}
	s->number = ++d->last_session;
	d->was_idle = false;
	base_list_append(&d->sessions, &s->node);
}

static void say_farewell(struct compute_session *s, const struct trn_error *err)
{
	uint8_t farewell[COMPUTE_FAREWELL_LEN];

	compute_make_farewell(err, farewell);
	compute_link_send(&s->client, farewell, sizeof(farewell), -1);
}

void compute_session_lose(struct compute_session *s, enum trnc_lost why, const struct trn_error *err)
{
	if (s->state == SESSION_ENDING)
		return;
	/* First, so that nobody who hears of the loss by a message can still see a living context. */
	compute_contexts_lose(s, why);
	if (s->state == SESSION_STARTING)
		compute_reply_error(s, TRNC_MSG_SESSION_CREATE, s->create_id, err);
	s->state = SESSION_ENDING;
	compute_relay_refuse_all(s, err);
	compute_segments_refuse_waiting(s, err);
	say_farewell(s, err);
	compute_link_leave(&s->client);
	compute_executor_kill(s->executor);
	if (s->is_answered)
		log_info("session %llu of %s ends: %s", (unsigned long long)s->number, s->peer, err->text);
	compute_device_schedule_gc(s->device);
}

bool compute_session_collect(struct compute_session *s)
{
	struct compute_device *d = s->device;

	if (s->state != SESSION_ENDING || s->executor)
		return false;
	/* The memory does not wait until the client has read why. */
	compute_contexts_end(s);
	compute_segments_end(s);
	if (!compute_link_is_closed(&s->client))
		return false;
	base_list_remove(&s->node);
	trn_use_close(s->use);
	free(s);
	compute_device_schedule_gc(d);
	return true;
}

/* ------------------------------------------------------------- executor */

/* Takes the executor's answer to SETUP. A refusal is the session's, and so is a host's device that cannot be used. */
static void handle_ready(struct compute_session *s, const struct trnc_msg *m, const void *body, int fd)
{
	struct trnc_exec_ready ready;
	struct trn_error err = { 0 };

	if (m->status) {
		struct trnc_error_body b;

		memcpy(&b, body, sizeof(b));
		b.name[sizeof(b.name) - 1] = '\0';
		trn_error_set(&err, -(int)m->status, b.name[0] ? b.name : "ExecutorRefused", "%.*s",
			      (int)sizeof(b.text) - 1, b.text);
		if (b.hint[0])
			trn_error_hint(&err, "%.*s", (int)sizeof(b.hint) - 1, b.hint);
		compute_session_lose(s, TRNC_LOST_EXECUTOR, &err);
		return;
	}
	memcpy(&ready, body, sizeof(ready));
	s->executor->is_ready = true;
	if (s->has_svm && !(ready.flags & TRNC_SESSION_SVM)) {
		trn_error_set(&err, -EIO, "WindowTaken", "the executor has no room for the window at its address");
		compute_session_lose(s, TRNC_LOST_EXECUTOR, &err);
		return;
	}
	if (s->state != SESSION_STARTING)
		return;
	s->has_svm = s->wants_svm && ready.flags & TRNC_SESSION_SVM;
	if (compute_probe_learn(s->device, fd, &ready, &err) < 0)
		compute_session_lose(s, TRNC_LOST_EXECUTOR, &err);
	else
		answer_create(s);
	compute_forker_offer_probe(&s->device->forker);
}

static bool is_ready_message(const struct compute_session *s, const struct trnc_msg *m)
{
	size_t len = m->len - sizeof(*m);

	if (m->type != ((uint32_t)TRNC_EXEC_SETUP | TRNC_MSG_REPLY) || m->id != 1 || s->executor->is_ready)
		return false;
	return m->status ? m->status < 4096 && len == sizeof(struct trnc_error_body)
			 : len == sizeof(struct trnc_exec_ready);
}

static void lose_to_executor(struct compute_session *s, const struct trn_error *why)
{
	struct trn_error err = *why;

	s->device->stats.executors_lost++;
	trn_error_prefix(&err, "the executor of session %llu ", (unsigned long long)s->number);
	compute_session_lose(s, TRNC_LOST_EXECUTOR, &err);
}

void compute_session_executor_message(struct compute_session *s, const void *data, size_t len, int *fd)
{
	struct trn_error err = { 0 };
	struct trnc_msg m = { 0 };

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	if (len < sizeof(m) || len > TRNC_MSG_MAX || m.len != len) {
		trn_error_set(&err, -EPROTO, "ExecutorLost", "sent a packet that is no message and was ended");
		lose_to_executor(s, &err);
		return;
	}
	if (is_ready_message(s, &m)) {
		handle_ready(s, &m, (const uint8_t *)data + sizeof(m), *fd);
		return;
	}
	if (compute_relay_reply(s, &m, (const uint8_t *)data + sizeof(m), &err) < 0)
		lose_to_executor(s, &err);
}

void compute_session_executor_ended(struct compute_session *s, const struct trn_error *why)
{
	lose_to_executor(s, why);
}
