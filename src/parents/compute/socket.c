/* SPDX-License-Identifier: MIT */
/* Clients in process mode: one connection is one session. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/peer.h"
#include "base/range.h"
#include "base/socket.h"
#include "parents/compute/priv.h"

/* A client that lets more replies lie than this is ended. */
#define MAX_UNREAD (4u << 20)

static struct compute_session *session_of(struct compute_link *socket)
{
	return base_container_of(socket, struct compute_session, socket);
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

	if (hello->magic != TRNC_MAGIC || hello->reserved) {
		compute_refuse(s, m, -EPROTO, "BadMagic", "this is a compute device, HELLO says 0x%08x", hello->magic);
		return;
	}
	compute_device_uuid(s->device, reply.uuid);
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

static void handle_session_create(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_session_create *c = body;
	const struct compute_wish wish = {
		.has_svm = c->features & TRNC_FEATURE_SVM,
		.window_base = c->window_base,
		.cwd = c->cwd,
	};
	struct trn_error err = { 0 };

	if (check_session_create(c, s->window_size, &err) < 0 || compute_session_begin(s, m, &wish, &err) < 0)
		compute_reply_error(s, m->type, m->id, &err);
}

static const struct compute_handler handlers[] = {
	[TRNC_MSG_HELLO] = { sizeof(struct trnc_hello), SESSION_NEW, "HELLO", handle_hello },
	[TRNC_MSG_SESSION_CREATE] = { sizeof(struct trnc_session_create), SESSION_GREETED, "SESSION_CREATE",
				      handle_session_create },
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
	struct trnc_msg m;

	if (len < sizeof(m) || len > TRNC_MSG_MAX) {
		refuse_packet(s, data, len);
		return;
	}
	memcpy(&m, data, sizeof(m));
	if (m.len != len || m.len % 8)
		refuse_packet(s, data, len);
	else
		compute_session_dispatch(s, handlers, NR_HANDLERS, &m, (const uint8_t *)data + sizeof(m));
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

static const struct compute_link_ops link_ops = {
	.receive = handle_packet,
	.ended = handle_client_ended,
};

static void send_packet(struct compute_session *s, const void *packet, size_t len, int fd)
{
	compute_link_send(&s->socket, packet, len, fd);
}

static void pause_client(struct compute_session *s, bool pause)
{
	compute_link_pause(&s->socket, pause);
}

static void say_farewell(struct compute_session *s, const struct trn_error *err)
{
	uint8_t farewell[COMPUTE_FAREWELL_LEN];

	compute_make_farewell(err, farewell);
	compute_link_send(&s->socket, farewell, sizeof(farewell), -1);
	compute_link_leave(&s->socket);
}

static bool is_gone(const struct compute_session *s)
{
	return compute_link_is_closed(&s->socket);
}

static const struct compute_client_ops client_ops = {
	.send = send_packet,
	.pause = pause_client,
	.farewell = say_farewell,
	.is_gone = is_gone,
};

static int open_session(struct compute_session *s, int sock, struct trn_error *err)
{
	int r = trn_device_open(s->device->dev, s->peer, s, &s->use, err);

	if (r < 0)
		return r;
	r = compute_link_open(&s->socket, s->device->config->event, sock);
	if (r < 0)
		return trn_error_set(err, r, "NoMemory", "cannot serve a connection: %s", strerror(-r));
	return 0;
}

void compute_socket_connect(struct compute_device *d, int sock)
{
	struct compute_session *s = compute_session_new(d, &client_ops);
	struct trn_error err = { 0 };
	uint8_t farewell[COMPUTE_FAREWELL_LEN];

	if (!s) {
		base_close(sock);
		return;
	}
	compute_link_init(&s->socket, &link_ops, MAX_UNREAD, false);
	base_peer_describe(sock, s->peer);
	if (open_session(s, sock, &err) < 0) {
		compute_make_farewell(&err, farewell);
		(void)base_send(sock, farewell, sizeof(farewell), NULL, 0);
		base_close(sock);
		compute_session_free(s);
		return;
	}
	compute_session_add(s);
}
