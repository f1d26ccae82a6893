/* SPDX-License-Identifier: MIT */
#include "client/rpc.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "client/refuse.h"
#include "client/segments.h"

/* On the stack of the thread that waits; in s->calls until is_done. */
struct client_call {
	struct base_list node;
	pthread_cond_t wake; /* done, or: be the receiver */
	const struct client_request *req;
	struct trn_error *err;
	uint64_t id;
	int result;
	bool is_done;
};

/* One packet as it arrived. */
struct packet {
	struct trnc_msg head;
	uint8_t body[TRNC_MSG_MAX - sizeof(struct trnc_msg)];
};

static void finish_call(struct client_call *call, int result)
{
	call->result = result;
	call->is_done = true;
	base_list_remove(&call->node);
	pthread_cond_signal(&call->wake);
}

/* Someone who waits has to take over the receiving. */
static void hand_over_locked(struct client_session *s)
{
	if (!base_list_is_empty(&s->calls))
		pthread_cond_signal(&base_container_of(s->calls.next, struct client_call, node)->wake);
}

static void lose_locked(struct client_session *s, int code, const char *name, const char *text)
{
	struct trn_error why = { 0 };

	client_refuse(&why, code, name, CLIENT_HINT_RESTART, "%s: %s", s->device->path, text);
	client_session_lose_locked(s, &why);
}

static void lose_by_nonsense_locked(struct client_session *s, const char *text)
{
	lose_locked(s, -EPROTO, "BadReply", text);
}

/* A string field of a message, into a buffer of the same size. */
static void copy_text(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	to[size - 1] = '\0';
}

/* Turns the body of a refusal into an error. Return: its code. */
static int take_refusal(const struct packet *p, struct trn_error *err)
{
	struct trnc_error_body body;
	int code = -(int)p->head.status;
	char text[sizeof(body.text)], hint[sizeof(body.hint)];

	memcpy(&body, p->body, sizeof(body));
	copy_text(text, body.text, sizeof(text));
	copy_text(hint, body.hint, sizeof(hint));
	return client_refuse(err, code, "DeviceRefused", hint[0] ? hint : "the device's log may say more", "%s", text);
}

static bool is_refusal(const struct packet *p)
{
	return p->head.status != 0 && p->head.status < 4096 &&
	       p->head.len == sizeof(p->head) + sizeof(struct trnc_error_body);
}

static void handle_lost_message(struct client_session *s, const struct packet *p)
{
	struct packet copy;
	struct trn_error why = { 0 };

	if (p->head.len != sizeof(p->head) + sizeof(struct trnc_error_body) || p->head.id != 0) {
		lose_by_nonsense_locked(s, "the device sent a malformed farewell");
		return;
	}
	memcpy(&copy, p, p->head.len);
	copy.head.status = ESHUTDOWN;
	take_refusal(&copy, &why);
	client_session_lose_locked(s, &why);
}

/* fd: the descriptor that came along, or -1; taken when it is used. */
static void handle_reply(struct client_session *s, struct client_call *call, const struct packet *p, int *fd)
{
	const struct client_request *req = call->req;
	size_t body_len = p->head.len - sizeof(p->head);

	if (p->head.type != ((uint32_t)req->type | TRNC_MSG_REPLY)) {
		lose_by_nonsense_locked(s, "the device answered another request than was asked");
		return;
	}
	if (is_refusal(p)) {
		finish_call(call, take_refusal(p, call->err));
		return;
	}
	if (p->head.status != 0 || body_len != req->reply_len || (*fd >= 0) != (req->ret_fd != NULL)) {
		lose_by_nonsense_locked(s, "the device's answer has a wrong shape");
		return;
	}
	if (body_len)
		memcpy(req->reply, p->body, body_len);
	if (req->ret_fd)
		*req->ret_fd = TAKE_FD(*fd);
	finish_call(call, 0);
}

static void handle_dying_reply(struct client_session *s, struct client_segment *seg, const struct packet *p)
{
	struct trnc_segment_reply reply;

	if (p->head.type != (TRNC_MSG_SEGMENT_DESTROY | TRNC_MSG_REPLY) ||
	    (!is_refusal(p) && (p->head.status || p->head.len != sizeof(p->head) + sizeof(reply)))) {
		lose_by_nonsense_locked(s, "the device's answer to SEGMENT_DESTROY has a wrong shape");
		return;
	}
	if (p->head.status) {
		client_segment_died_locked(s, seg, NULL);
		return;
	}
	memcpy(&reply, p->body, sizeof(reply));
	client_segment_died_locked(s, seg, &reply);
}

static void handle_packet_locked(struct client_session *s, const struct packet *p, size_t len, int *fd)
{
	struct client_call *call;
	struct client_segment *seg;

	if (len < sizeof(p->head) || p->head.len != len || p->head.flags != 0) {
		lose_by_nonsense_locked(s, "the device sent a malformed message");
		return;
	}
	if (p->head.type == TRNC_MSG_SESSION_LOST) {
		handle_lost_message(s, p);
		return;
	}
	base_list_for_each(call, &s->calls, node) {
		if (call->id == p->head.id) {
			handle_reply(s, call, p, fd);
			return;
		}
	}
	seg = client_segment_find_dying_locked(s, p->head.id);
	if (seg)
		handle_dying_reply(s, seg, p);
	else
		lose_by_nonsense_locked(s, "the device answered a request that nobody made");
}

/* Receives one packet without blocking and handles it. Return: false when there was none or the session is lost. */
static bool receive_one(struct client_session *s)
{
	struct packet p;
	_cleanup_close_ int fd = -1;
	size_t nr_fds = 1;
	ssize_t n = base_recv(s->fd, &p, sizeof(p), &fd, &nr_fds);

	if (n == -EAGAIN)
		return false;
	pthread_mutex_lock(&s->lock);
	if (atomic_load(&s->lost)) {
		/* Another thread found out; what came is of no use. */
	} else if (n == 0 || n == -ECONNRESET || n == -EPIPE) {
		lose_locked(s, -ESHUTDOWN, "DeviceGone", "the device closed the connection");
	} else if (n < 0) {
		lose_locked(s, (int)n, "ReceiveFailed", strerror((int)-n));
	} else {
		handle_packet_locked(s, &p, (size_t)n, &fd);
	}
	pthread_mutex_unlock(&s->lock);
	return !atomic_load(&s->lost);
}

static void wait_for_socket(struct client_session *s, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = s->fd, .events = events };

	poll(&pfd, 1, timeout_ms);
}

/* Called with the lock, which it drops meanwhile. */
static void receive_for_all(struct client_session *s, int timeout_ms)
{
	s->is_receiving = true;
	pthread_mutex_unlock(&s->lock);
	if (timeout_ms)
		wait_for_socket(s, POLLIN, timeout_ms);
	while (receive_one(s))
		;
	pthread_mutex_lock(&s->lock);
	s->is_receiving = false;
}

void client_rpc_drain(struct client_session *s, int timeout_ms)
{
	if (client_session_is_foreign(s))
		return;
	pthread_mutex_lock(&s->lock);
	if (!s->is_receiving && !atomic_load(&s->lost)) {
		receive_for_all(s, timeout_ms);
		hand_over_locked(s);
		pthread_mutex_unlock(&s->lock);
		return;
	}
	pthread_mutex_unlock(&s->lock);
	/* Another thread receives; so that the caller may loop on this: */
	if (timeout_ms && !atomic_load(&s->lost))
		poll(NULL, 0, 1);
}

/*
 * Sends one packet.  While the socket is full the other side may be stuck in sending to us, so whatever arrived is
 * handled meanwhile.
 */
static int send_packet(struct client_session *s, const struct packet *p)
{
	for (;;) {
		int r = base_send(s->fd, p, p->head.len, NULL, 0);

		client_rpc_drain(s, 0);
		if (r == 0)
			return 0;
		if (atomic_load(&s->lost))
			return -ESHUTDOWN;
		if (r != -EAGAIN && r != -ENOBUFS) {
			struct trn_error why = { 0 };

			client_refuse(&why, -ESHUTDOWN, "DeviceGone", CLIENT_HINT_RESTART,
				      "%s: cannot send to the device: %s", s->device->path, strerror(-r));
			client_session_lose(s, &why);
			return -ESHUTDOWN;
		}
		/* The time limit covers the case that another thread took away what woke us. */
		wait_for_socket(s, POLLIN | POLLOUT, 100);
	}
}

static void make_packet(struct packet *p, enum trnc_msg_type type, uint64_t id, const void *body, size_t len)
{
	p->head = (struct trnc_msg){ .type = type, .len = (uint32_t)(sizeof(p->head) + len), .id = id };
	if (len)
		memcpy(p->body, body, len);
}

void client_rpc_end_all_locked(struct client_session *s)
{
	struct client_call *call, *next;

	base_list_for_each_safe(call, next, &s->calls, node)
		finish_call(call, -ESHUTDOWN);
}

int client_rpc(struct client_session *s, const struct client_request *req, struct trn_error *err)
{
	struct client_call call = { .wake = PTHREAD_COND_INITIALIZER, .req = req, .err = err };
	struct packet p;

	if (client_session_is_foreign(s))
		return client_session_refuse_lost(s, err);

	pthread_mutex_lock(&s->lock);
	if (atomic_load(&s->lost)) {
		pthread_mutex_unlock(&s->lock);
		return client_session_refuse_lost(s, err);
	}
	call.id = ++s->last_id;
	base_list_append(&s->calls, &call.node);
	pthread_mutex_unlock(&s->lock);

	make_packet(&p, req->type, call.id, req->body, req->len);
	send_packet(s, &p); /* a failure loses the session, which ends the wait */

	pthread_mutex_lock(&s->lock);
	while (!call.is_done) {
		if (atomic_load(&s->lost))
			finish_call(&call, -ESHUTDOWN);
		else if (s->is_receiving)
			pthread_cond_wait(&call.wake, &s->lock);
		else
			receive_for_all(s, -1);
	}
	if (!s->is_receiving)
		hand_over_locked(s);
	pthread_mutex_unlock(&s->lock);

	pthread_cond_destroy(&call.wake);
	return call.result == -ESHUTDOWN && atomic_load(&s->lost) ? client_session_refuse_lost(s, err) : call.result;
}

void client_rpc_segment_destroy(struct client_session *s, struct client_segment *seg,
				const struct trnc_segment_destroy *req)
{
	struct packet p;
	uint64_t id = 0;

	pthread_mutex_lock(&s->lock);
	if (atomic_load(&s->lost)) {
		client_segment_died_locked(s, seg, NULL);
	} else {
		id = ++s->last_id;
		client_segment_dies_locked(s, seg, id);
	}
	pthread_mutex_unlock(&s->lock);
	if (!id)
		return;
	make_packet(&p, TRNC_MSG_SEGMENT_DESTROY, id, req, sizeof(*req));
	send_packet(s, &p);
}
