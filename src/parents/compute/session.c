/* SPDX-License-Identifier: MIT */
/* A session, from the request that begins it to the last thing that is given back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "parents/compute/priv.h"

/* ---------------------------------------------------------------- begin */

static void send_setup(struct compute_session *s, const struct compute_wish *wish)
{
	const struct compute_device *d = s->device;
	uint64_t host = compute_host_memory(), heap = host / 2;
	size_t nr_fds = 0;
	int fds[2];
	struct {
		struct trnc_msg head;
		struct trnc_exec_setup setup;
	} packet = {
		.head = { .type = TRNC_EXEC_SETUP, .len = sizeof(packet), .id = 1 },
		.setup = {
			.host_device = d->config->host_device,
			.flags = compute_executor_flags(d),
			.window_base = wish->has_svm ? wish->window_base : 0,
			.window_size = s->window_size,
		},
	};

	/* Compilers, private copies of a host that does not use buffers in place, stacks. */
	if (heap < (1ull << 30))
		heap = 1ull << 30;
	if (s->slot)
		nr_fds = compute_slot_fill_setup(s->slot, &packet.setup, fds);
	packet.setup.heap_limit = heap + d->stats.quota;
	snprintf(packet.setup.cwd, sizeof(packet.setup.cwd), "%s", wish->cwd);
	compute_link_send_fds(&s->executor->link, &packet, sizeof(packet), fds, nr_fds);
}

/*
 * Will the executor be able to put the window there?  What one of this device could, each can, where no program and no
 * library goes.
 */
static bool can_promise(const struct compute_session *s, const struct compute_wish *wish)
{
	if (s->device->probe.fd < 0)
		return false;
	if (!wish->has_svm)
		return true;
	return s->device->probe.flags & TRNC_SESSION_SVM && wish->window_base >= TRNC_WINDOW_FROM &&
	       wish->window_base <= TRNC_WINDOW_TO - s->window_size;
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
	compute_reply(s, s->create_type, s->create_id, &reply, sizeof(reply), d->probe.fd);
}

int compute_session_begin(struct compute_session *s, const struct trnc_msg *m, const struct compute_wish *wish,
			  struct trn_error *err)
{
	int r = compute_executor_start(s, err);

	if (r < 0)
		return r;
	s->create_id = m->id;
	s->create_type = m->type;
	s->state = SESSION_STARTING;
	s->wants_svm = wish->has_svm;
	send_setup(s, wish);
	/* What the host's device is was told by an earlier executor: this one may get ready meanwhile. */
	if (can_promise(s, wish)) {
		s->has_svm = s->wants_svm;
		answer_create(s);
	}
	return 0;
}

/* ------------------------------------------------------------- messages */

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

static const struct compute_handler handlers[] = {
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

static const struct compute_handler *find_handler(const struct compute_handler *own, size_t nr_own, uint32_t type)
{
	if (type < nr_own && own[type].handle)
		return &own[type];
	return type < NR_HANDLERS && handlers[type].handle ? &handlers[type] : NULL;
}

void compute_session_dispatch(struct compute_session *s, const struct compute_handler *own, size_t nr_own,
			      const struct trnc_msg *m, const void *body)
{
	const struct compute_handler *h = find_handler(own, nr_own, m->type);

	if (!h)
		compute_refuse(s, m, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u", m->type);
	else if (m->id == 0 || m->status || m->flags)
		compute_refuse(s, m, -EINVAL, "BadMessage",
			       "%s with id %llu, status %u and flags 0x%x: the id must not be 0, the others must", h->name,
			       (unsigned long long)m->id, m->status, m->flags);
	else if (m->len - sizeof(*m) != h->body_len)
		compute_refuse(s, m, -EINVAL, "BadLength", "the body of %s has %zu bytes, not %zu", h->name,
			       h->body_len, m->len - sizeof(*m));
	else if (s->state != h->state)
		compute_refuse(s, m, -EPROTO, "WrongState", "%s cannot come now", h->name);
	else
		h->handle(s, m, body);
}

/* ----------------------------------------------------------------- life */

struct compute_session *compute_session_new(struct compute_device *d, const struct compute_client_ops *client)
{
	struct compute_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->device = d;
	s->client = client;
	base_list_init(&s->node);
	compute_segments_init(&s->segments);
	compute_pendings_init(&s->pendings);
	return s;
}

void compute_session_free(struct compute_session *s)
{
	base_list_remove(&s->node);
	trn_use_close(s->use);
	free(s);
}

void compute_session_add(struct compute_session *s)
{
	struct compute_device *d = s->device;

	s->number = ++d->last_session;
	d->was_idle = false;
	base_list_append(&d->sessions, &s->node);
}

void compute_session_lose(struct compute_session *s, enum trnc_lost why, const struct trn_error *reason)
{
	struct trn_error copy = *reason;
	const struct trn_error *err = &copy;

	if (s->state == SESSION_ENDING)
		return;
	/* That the session is lost is all that requests of a running one can be told. */
	if (s->state == SESSION_UP)
		copy.code = -ESHUTDOWN;
	/* First, so that nobody who hears of the loss by a message can still see a living context. */
	compute_contexts_lose(s, why);
	if (s->state == SESSION_STARTING)
		compute_reply_error(s, s->create_type, s->create_id, err);
	s->state = SESSION_ENDING;
	compute_relay_refuse_all(s, err);
	compute_segments_refuse_waiting(s, err);
	compute_segments_leave(s);
	s->client->farewell(s, err);
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
	compute_contexts_end(s);
	/* The memory does not wait until a client has read why, but a guest has to let go of it. */
	if (s->client->keeps_memory && s->client->keeps_memory(s))
		return false;
	compute_segments_end(s);
	if (!s->client->is_gone(s))
		return false;
	if (s->client->forget)
		s->client->forget(s);
	compute_session_free(s);
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
