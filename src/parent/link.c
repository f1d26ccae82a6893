/* SPDX-License-Identifier: MIT */
/* A connection: messages in, replies out.  Whatever comes is refused, or done; what is not done hurts its sender alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parent/shared.h"

#define SEND_BUFFER (1 << 20) /* accounts of all devices; the kernel may give less */

/* --------------------------------------------------------------- messages */

int parent_message_body(const struct parent_message *m, void *ret, size_t len, size_t nr_fds, struct trn_error *err)
{
	size_t have = m->head.len - sizeof(m->head);

	if (have != len)
		return trn_error_set(err, -EINVAL, "BadLength", "message %u has a body of %zu bytes, not %zu", m->head.type, have, len);
	if (m->nr_fds != nr_fds)
		return trn_error_set(err, -EINVAL, "BadDescriptors", "message %u comes with %zu descriptors, not %zu", m->head.type,
				     m->nr_fds, nr_fds);
	if (len)
		memcpy(ret, m->packet + sizeof(m->head), len);
	return 0;
}

typedef int (*handler)(struct parent_link *, const struct parent_message *, struct trn_error *);

static const struct {
	uint32_t type;
	enum parent_link_kind of;
	bool has_reply;
	handler handle;
} handlers[] = {
	{ TRNC_PARENT_JOIN, PARENT_LINK_NEW, true, parent_member_join },
	{ TRNC_PARENT_START, PARENT_LINK_DEVICE, true, parent_runner_start },
	{ TRNC_PARENT_UPDATE, PARENT_LINK_DEVICE, true, parent_member_update },
	{ TRNC_PARENT_PROBE, PARENT_LINK_DEVICE, false, parent_member_probe },
	{ TRNC_PARENT_MANAGE, PARENT_LINK_NEW, true, parent_manager_manage },
	{ TRNC_PARENT_SCHEDULE, PARENT_LINK_MANAGER, true, parent_manager_schedule },
	{ TRNC_PARENT_ACCOUNTS, PARENT_LINK_MANAGER, true, parent_manager_accounts },
	{ TRNC_PARENT_QUIT, PARENT_LINK_MANAGER, true, parent_manager_quit },
};

static int handle(struct parent_link *l, const struct parent_message *m, struct trn_error *err)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (handlers[i].type != m->head.type)
			continue;
		if (handlers[i].of != l->kind) {
			trn_error_set(err, -EPERM, "NotNow", "message %u is not for a connection that %s", m->head.type,
				      l->kind == PARENT_LINK_NEW ? "has not said what it is" :
				      l->kind == PARENT_LINK_DEVICE ? "has joined" : "manages");
			return trn_error_hint(err, "say JOIN or MANAGE first, and once");
		}
		if (m->head.status || m->head.flags || (m->head.id == 0) == handlers[i].has_reply)
			return trn_error_set(err, -EINVAL, "BadMessage", "message %u with id %llu, status %u and flags 0x%x",
					     m->head.type, (unsigned long long)m->head.id, m->head.status, m->head.flags);
		return handlers[i].handle(l, m, err);
	}
	return trn_error_set(err, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u", m->head.type);
}

static void refuse(struct parent_link *l, const struct trnc_msg *head, const struct trn_error *err)
{
	if (parent_refuse(l->sock, head->type & ~TRNC_MSG_REPLY, head->id, err) < 0)
		l->is_cut = true;
}

static void take(struct parent_link *l, char *packet, size_t len, const int *fds, size_t nr_fds)
{
	struct parent_message m = { .packet = packet, .fds = fds, .nr_fds = nr_fds };
	struct trn_error err = { 0 };
	int r;

	memcpy(&m.head, packet, len < sizeof(m.head) ? len : sizeof(m.head));
	if (len < sizeof(m.head) || m.head.len != len)
		r = trn_error_set(&err, -EBADMSG, "BadPacket", "a packet of %zu bytes is no message", len);
	else
		r = handle(l, &m, &err);
	if (r < 0)
		refuse(l, &m.head, &err);
}

void parent_link_reply(struct parent_link *l, const struct trnc_msg *m, const void *body, size_t len, int fd)
{
	if (parent_reply(l->sock, m->type, m->id, body, len, fd) < 0)
		l->is_cut = true;
}

void parent_link_tell(struct parent_link *l, uint32_t type, uint64_t id, const void *body, size_t len)
{
	size_t whole = sizeof(struct trnc_msg) + len;
	_cleanup_free_ struct trnc_msg *m = malloc(whole);
	int r = -ENOMEM;

	if (m) {
		*m = (struct trnc_msg){ .type = type, .len = (uint32_t)whole, .id = id };
		memcpy(m + 1, body, len);
		r = base_send(l->sock, m, whole, NULL, 0);
	}
	/* It would wait for that for ever: its end is noticed by the loop. */
	if (r < 0)
		shutdown(l->sock, SHUT_RDWR);
}

/* ------------------------------------------------------------------- life */

static int on_packet(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct parent_link *l = data;
	char *packet = l->hub->packet;
	int fds[BASE_MAX_FDS];
	size_t nr_fds = BASE_MAX_FDS;
	ssize_t len = base_recv(fd, packet, PARENT_MAX_PACKET, fds, &nr_fds);

	if (len == -EAGAIN || len == -EINTR)
		return 0;
	if (len == -EMSGSIZE) {
		struct trn_error err = { 0 };
		const struct trnc_msg none = { 0 };

		trn_error_set(&err, -EMSGSIZE, "BadPacket", "a packet is longer than %u bytes", PARENT_MAX_PACKET);
		refuse(l, &none, &err);
	} else if (len <= 0) {
		l->is_cut = true;
	} else {
		take(l, packet, (size_t)len, fds, nr_fds);
		for (size_t i = 0; i < nr_fds; i++)
			base_close(fds[i]);
	}
	if (l->is_cut)
		parent_link_close(l);
	return 0;
}

void parent_link_open(struct parent_hub *h, int sock)
{
	struct parent_link *l = calloc(1, sizeof(*l));
	const int size = SEND_BUFFER;

	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!l || sd_event_add_io(h->process->event, &l->io, sock, EPOLLIN, on_packet, l) < 0) {
		free(l);
		base_close(sock);
		return;
	}
	l->hub = h;
	l->sock = sock;
	base_list_append(&h->links, &l->node);
	h->nr_links++;
	parent_hub_note_links(h);
}

void parent_link_close(struct parent_link *l)
{
	struct parent_hub *h = l->hub;

	base_list_remove(&l->node);
	sd_event_source_disable_unref(l->io);
	base_close(l->sock);
	if (l->member)
		parent_member_leave(l->member);
	free(l);
	h->nr_links--;
	sd_event_source_set_enabled(h->accept, SD_EVENT_ON);
	parent_hub_note_links(h);
}
