/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "executor/context.h"
#include "executor/executor.h"
#include "executor/program.h"

/* ---------------------------------------------------------------- answers */

void exec_reply_fd(struct executor *ex, uint32_t type, uint64_t id, const void *body, size_t len, int fd)
{
	_Alignas(8) uint8_t buf[TRNC_MSG_MAX];
	const struct trnc_msg msg = {
		.type = type | TRNC_MSG_REPLY, .len = (uint32_t)(sizeof(msg) + len), .id = id,
	};
	int r;

	memcpy(buf, &msg, sizeof(msg));
	if (len)
		memcpy(buf + sizeof(msg), body, len);
	r = base_send(ex->sock, buf, msg.len, &fd, fd >= 0 ? 1 : 0);
	if (r < 0)
		log_debug("reply: %s", strerror(-r));
}

void exec_reply(struct executor *ex, uint32_t type, uint64_t id, const void *body, size_t len)
{
	exec_reply_fd(ex, type, id, body, len, -1);
}

void exec_reply_error(struct executor *ex, uint32_t type, uint64_t id, const struct trn_error *err)
{
	struct {
		struct trnc_msg msg;
		struct trnc_error_body body;
	} m = {
		.msg = {
			.type = type | TRNC_MSG_REPLY, .len = sizeof(m), .id = id,
			.status = err->code < 0 ? (uint32_t)-err->code : EIO,
		},
	};
	int r;

	snprintf(m.body.name, sizeof(m.body.name), "%s", err->name ? err->name : "Refused");
	memcpy(m.body.text, err->text, sizeof(m.body.text)); /* of equal size, terminated */
	memcpy(m.body.hint, err->hint, sizeof(m.body.hint)); /* of equal size, terminated */
	r = base_send(ex->sock, &m, sizeof(m), NULL, 0);
	if (r < 0)
		log_debug("reply: %s", strerror(-r));
}

/* --------------------------------------------------------------- messages */

/* A message in hand. */
struct message {
	_Alignas(8) uint8_t buf[TRNC_MSG_MAX];
	struct trnc_msg head;
	const void *body;
	size_t body_len;
	int fd; /* -1: none; the handler takes it or it is closed */
};

static struct exec_context *find_context(struct executor *ex, uint32_t id, struct trn_error *err)
{
	struct exec_context *c = id >= 1 && id <= TRNC_MAX_CONTEXTS ? ex->contexts[id] : NULL;

	if (!c)
		trn_error_set(err, -ENOENT, "NoContext", "context %u does not exist", id);
	return c;
}

static int check_control_seq(struct executor *ex, uint64_t control_seq, struct trn_error *err)
{
	if (control_seq <= atomic_load(&ex->window.seq))
		return 0;
	return trn_error_set(err, -EPROTO, "ControlSeq", "control message %llu has not been seen",
			     (unsigned long long)control_seq);
}

static int handle_segment_map(struct executor *ex, struct message *m, struct trn_error *err)
{
	/* Its number is seen in any case. */
	int r = exec_window_map(&ex->window, m->body, m->fd);

	if (m->fd < 0 && !ex->window.is_guest)
		return trn_error_set(err, -EINVAL, "Descriptor", "a segment came without its descriptor");
	if (m->fd >= 0 && ex->window.is_guest)
		return trn_error_set(err, -EINVAL, "Descriptor", "a segment of a guest came with a descriptor");
	if (r < 0)
		return trn_error_set(err, r, "Segment", "a segment cannot be mapped: %s", strerror(-r));
	return 0;
}

static int handle_segment_unmap(struct executor *ex, struct message *m, struct trn_error *err)
{
	int r = exec_window_want_unmap(&ex->window, m->body, m->head.id);

	if (r < 0)
		return trn_error_set(err, r, "Segment", "there is no such segment to unmap");
	return 0;
}

static int handle_context_create(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_context_create *b = m->body;
	struct exec_context *c;
	int r;

	if (b->flags || b->reserved || b->context < 1 || b->context > TRNC_MAX_CONTEXTS || ex->contexts[b->context] ||
	    atomic_load(&ex->ending[b->context]))
		return trn_error_set(err, -EINVAL, "Context", "context %u cannot be created", b->context);
	r = check_control_seq(ex, b->control_seq, err);
	if (r == 0)
		r = exec_context_create(ex, b, &c, err);
	if (r < 0)
		return r;
	ex->contexts[b->context] = c;
	exec_reply(ex, m->head.type, m->head.id, NULL, 0);
	return 0;
}

/* A context's end takes as long as its kernels run: it has a thread of its own. */
struct ending {
	struct executor *ex;
	struct exec_context *c;
	uint64_t id;
};

static void *end_thread(void *arg)
{
	struct ending *e = arg;
	uint32_t number = e->c->id;

	exec_context_destroy(e->c);
	atomic_store(&e->ex->ending[number], false);
	exec_reply(e->ex, TRNC_MSG_CONTEXT_DESTROY, e->id, NULL, 0);
	exec_window_kick(&e->ex->window);
	free(e);
	return NULL;
}

static int handle_context_destroy(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_context_destroy *b = m->body;
	struct exec_context *c = find_context(ex, b->context, err);
	struct ending *e;
	pthread_t thread;
	int r;

	if (!c)
		return err->code;
	e = malloc(sizeof(*e));
	if (!e)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory to end a context");
	*e = (struct ending){ .ex = ex, .c = c, .id = m->head.id };
	ex->contexts[b->context] = NULL;
	atomic_store(&ex->ending[b->context], true);
	r = pthread_create(&thread, NULL, end_thread, e);
	if (r) {
		ex->contexts[b->context] = c;
		atomic_store(&ex->ending[b->context], false);
		free(e);
		return trn_error_set(err, -r, "NoThread", "no thread to end a context");
	}
	pthread_detach(thread);
	return 0;
}

static int handle_event_block_add(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_event_block_add *b = m->body;
	struct exec_context *c = find_context(ex, b->context, err);
	int r = c ? check_control_seq(ex, b->control_seq, err) : err->code;

	if (r == 0)
		r = exec_context_add_block(c, b, err);
	if (r == 0)
		exec_reply(ex, m->head.type, m->head.id, NULL, 0);
	return r;
}

static int handle_output_set(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_output_set *b = m->body;
	int r = check_control_seq(ex, b->control_seq, err);

	if (r == 0)
		r = exec_output_set(&ex->output, &ex->window, b, err);
	if (r == 0)
		exec_reply(ex, m->head.type, m->head.id, NULL, 0);
	return r;
}

static int handle_program_build(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_program_build *b = m->body;
	struct exec_context *c = find_context(ex, b->context, err);
	int r = c ? check_control_seq(ex, b->control_seq, err) : err->code;

	return r < 0 ? r : exec_program_build(c, m->head.id, b, err);
}

static int handle_program_query(struct executor *ex, struct message *m, struct trn_error *err)
{
	const struct trnc_program_query *b = m->body;
	struct exec_context *c = find_context(ex, b->context, err);
	int r = c ? check_control_seq(ex, b->control_seq, err) : err->code;

	return r < 0 ? r : exec_program_query(c, m->head.id, b, err);
}

static const struct {
	uint32_t type;
	size_t body_len;
	int (*handle)(struct executor *ex, struct message *m, struct trn_error *err);
} handlers[] = {
	{ TRNC_EXEC_SEGMENT_MAP, sizeof(struct trnc_exec_segment_map), handle_segment_map },
	{ TRNC_EXEC_SEGMENT_UNMAP, sizeof(struct trnc_segment_destroy), handle_segment_unmap },
	{ TRNC_MSG_CONTEXT_CREATE, sizeof(struct trnc_context_create), handle_context_create },
	{ TRNC_MSG_CONTEXT_DESTROY, sizeof(struct trnc_context_destroy), handle_context_destroy },
	{ TRNC_MSG_EVENT_BLOCK_ADD, sizeof(struct trnc_event_block_add), handle_event_block_add },
	{ TRNC_MSG_OUTPUT_SET, sizeof(struct trnc_output_set), handle_output_set },
	{ TRNC_MSG_PROGRAM_BUILD, sizeof(struct trnc_program_build), handle_program_build },
	{ TRNC_MSG_PROGRAM_QUERY, sizeof(struct trnc_program_query), handle_program_query },
};

static void handle_message(struct executor *ex, struct message *m)
{
	struct trn_error err = { 0 };
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (handlers[i].type != m->head.type)
			continue;
		if (m->body_len == handlers[i].body_len)
			r = handlers[i].handle(ex, m, &err);
		else
			r = trn_error_set(&err, -EINVAL, "Length", "message %u has %zu bytes", m->head.type,
					  m->body_len);
	}
	if (r >= 0)
		return;
	trn_error_set(&err, r, "Message", "message %u is not known", m->head.type);
	if (m->head.id)
		exec_reply_error(ex, m->head.type, m->head.id, &err);
	else
		log_warning("%s", err.text);
}

/* One packet. False when the device process is gone or does not speak this protocol. */
static bool receive(struct executor *ex, struct message *m)
{
	int fds[BASE_MAX_FDS];
	size_t nr_fds = BASE_MAX_FDS;
	ssize_t n = base_recv(ex->sock, m->buf, sizeof(m->buf), fds, &nr_fds);

	m->fd = -1;
	if (n > 0)
		for (size_t i = 0; i < nr_fds; i++) {
			if (i == 0)
				m->fd = fds[i];
			else
				base_close(fds[i]);
		}
	if (n == -EINTR || n == -EAGAIN)
		return m->head.type = 0, true;
	if (n < (ssize_t)sizeof(m->head))
		return false;
	memcpy(&m->head, m->buf, sizeof(m->head));
	m->body = m->buf + sizeof(m->head);
	m->body_len = (size_t)n - sizeof(m->head);
	return m->head.len == (size_t)n;
}

/* Has the context's ring been read up to the position? One that has ended, or is ending, is not waited for: what it
 * still uses is counted in the segment. */
static bool has_passed(void *arg, uint32_t context, uint64_t pos)
{
	struct executor *ex = arg;
	struct exec_context *c = context <= TRNC_MAX_CONTEXTS ? ex->contexts[context] : NULL;

	return !c || atomic_load(&c->ended) || atomic_load(&c->consumer) >= pos;
}

static void reap_segments(struct executor *ex)
{
	uint64_t id;

	while (exec_window_reap(&ex->window, has_passed, ex, &id))
		exec_reply(ex, TRNC_EXEC_SEGMENT_UNMAP, id, NULL, 0);
}

void exec_control_run(struct executor *ex)
{
	struct pollfd p[2] = { { .fd = ex->sock, .events = POLLIN }, { .fd = ex->kick_fd, .events = POLLIN } };
	struct message m;
	uint64_t kicks;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(EXIT_FAILURE);
		if ((p[1].revents & POLLIN) && read(ex->kick_fd, &kicks, sizeof(kicks)) < 0 && errno != EAGAIN)
			_exit(EXIT_FAILURE);
		if (p[0].revents) {
			/* No farewell: threads of the host's OpenCL may never end. */
			if (!receive(ex, &m))
				_exit(EXIT_SUCCESS);
			if (m.head.type)
				handle_message(ex, &m);
			base_close(m.fd);
		}
		reap_segments(ex);
	}
}
