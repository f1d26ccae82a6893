/* SPDX-License-Identifier: MIT */
/* An executor's socket: messages in, replies with descriptors out.  Nothing that comes from it is believed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "parent/broker_priv.h"

#define MAX_ASKS 64u		  /* at once, a peer */
#define MAX_TURNS 500u		  /* of a peer, in this time; each is a message, or a part of one */
#define TURNS_US 50000u
#define MAX_REMEMBERED (64u << 20) /* bytes of requests, a peer */
#define MAX_ASKED (128u << 20)	   /* bytes of requests that wait, a peer; a single one may be as long as a message */
/* What may wait to be read by a peer when another answer comes: one that does not read is cut off. */
#define MAX_OUT_FDS 2048u
#define MAX_OUT_BYTES (64u << 20)

/* ---------------------------------------------------------------- output */

static void watch(struct broker_peer *p)
{
	bool has_out = !base_list_is_empty(&p->out);

	sd_event_source_set_io_events(p->io, EPOLLIN | (has_out ? EPOLLOUT : 0));
}

static ssize_t send_packet(int sock, const struct broker_packet *k)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (uint8_t *)(uintptr_t)k->data + k->done, .iov_len = k->len - k->done };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (k->fd >= 0 && k->done == 0) {
		struct cmsghdr *c = (void *)control;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &k->fd, sizeof(int));
	}
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void free_packet(struct broker_peer *p, struct broker_packet *k)
{
	if (k->fd >= 0) {
		p->out_fds--;
		p->broker->out_fds--;
	}
	p->out_bytes -= k->cost;
	base_list_remove(&k->node);
	base_close(k->fd);
	free(k);
}

static void drop_packets(struct broker_peer *p)
{
	struct broker_packet *k, *next;

	base_list_for_each_safe(k, next, &p->out, node)
		free_packet(p, k);
}

/* Return: 0, or -errno: the peer is gone. */
static int flush(struct broker_peer *p)
{
	struct broker_packet *k, *next;

	base_list_for_each_safe(k, next, &p->out, node) {
		while (k->done < k->len) {
			ssize_t n = send_packet(p->sock, k);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return errno == EAGAIN ? 0 : -errno;
			k->done += (size_t)n;
		}
		free_packet(p, k);
	}
	return 0;
}

static void append(struct broker_peer *p, struct broker_packet *k, uint64_t size)
{
	k->cost = k->len + size;
	p->out_bytes += k->cost;
	if (k->fd >= 0) {
		p->out_fds++;
		p->broker->out_fds++;
	}
	base_list_append(&p->out, &k->node);
}

/* @size: of the file that is sent along */
static bool queue(struct broker_peer *p, const void *data, size_t len, int fd, uint64_t size)
{
	struct broker_packet *k = malloc(sizeof(*k) + len);

	if (!k)
		return false;
	*k = (struct broker_packet){ .fd = -1, .len = len };
	if (fd >= 0) {
		k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (k->fd < 0) {
			free(k);
			return false;
		}
	}
	memcpy(k->data, data, len);
	append(p, k, size);
	return true;
}

/* The bytes of a file that is small enough for a message. */
static bool queue_file(struct broker_peer *p, const struct parent_file *f)
{
	struct broker_packet *k = malloc(sizeof(*k) + f->size);

	if (!k)
		return false;
	*k = (struct broker_packet){ .fd = -1, .len = f->size };
	if (pread(f->fd, k->data, f->size, 0) != (ssize_t)f->size) {
		free(k);
		return false;
	}
	append(p, k, 0);
	return true;
}

/* The socket's end is seen by the loop, which closes the peer; what waited for it goes at once. */
static void cut_off(struct broker_peer *p)
{
	p->is_cut = true;
	shutdown(p->sock, SHUT_RDWR);
	drop_packets(p);
	watch(p);
}

/* A reply of which a part is missing cannot be ended: such a peer is cut off, and compiles by itself. */
static void end_message(struct broker_peer *p, bool is_whole)
{
	if (!is_whole || flush(p) < 0)
		cut_off(p);
	else
		watch(p);
}

static struct broker_peer *slowest(struct parent_broker *b)
{
	struct broker_peer *p, *worst = NULL;

	base_list_for_each(p, &b->peers, node)
		if (!worst || p->out_fds > worst->out_fds)
			worst = p;
	return worst;
}

/* Those that do not read are not read less: an executor that waits for us to read may be what keeps it from reading. */
static bool has_room(struct broker_peer *p, const struct parent_built *more)
{
	unsigned int nr = more ? more->nr_files : 0;

	while (p->broker->out_fds && p->broker->out_fds + nr > p->broker->max_out_fds)
		cut_off(slowest(p->broker));
	if (!p->is_cut && p->out_bytes && (p->out_fds + nr > MAX_OUT_FDS || p->out_bytes > MAX_OUT_BYTES)) {
		log_debug("an executor does not read what it asked for");
		cut_off(p);
	}
	return !p->is_cut;
}

void broker_peer_answer(struct broker_peer *p, uint64_t id, const struct parent_built *b, uint32_t flags)
{
	struct {
		struct trnc_msg head;
		struct trnc_broker_reply body;
	} m = {
		.head = { .type = TRNC_BROKER_COMPILE | TRNC_MSG_REPLY, .id = id },
		.body = { .nr_files = b->nr_files, .blob_len = (uint32_t)b->reply.size, .flags = flags },
	};
	bool is_whole;

	if (!has_room(p, b))
		return;
	m.head.len = (uint32_t)(sizeof(m) + b->nr_files * sizeof(struct trnc_broker_file) + b->reply.size);
	memcpy(m.body.program, b->program, sizeof(m.body.program));
	is_whole = queue(p, &m, sizeof(m), -1, 0);
	for (uint32_t i = 0; i < b->nr_files && is_whole; i++) {
		struct trnc_broker_file f = { .size = b->files[i].size };

		memcpy(f.name, b->files[i].name, sizeof(f.name));
		is_whole = queue(p, &f, sizeof(f), b->files[i].fd, f.size);
	}
	end_message(p, is_whole && queue_file(p, &b->reply));
}

void broker_peer_refuse(struct broker_peer *p, uint64_t id, int error, const char *why)
{
	struct {
		struct trnc_msg head;
		struct trnc_error_body body;
	} m = {
		.head = {
			.type = TRNC_BROKER_COMPILE | TRNC_MSG_REPLY, .len = sizeof(m), .id = id,
			.status = (uint32_t)-error,
		},
	};

	/* Small, but there may be any number of them. */
	if (!has_room(p, NULL))
		return;
	snprintf(m.body.name, sizeof(m.body.name), "NotBuilt");
	snprintf(m.body.text, sizeof(m.body.text), "%s: %s", why, strerror(-error));
	end_message(p, queue(p, &m, sizeof(m), -1, 0));
}

/* ----------------------------------------------------------------- input */

static void remember(struct broker_peer *p, uint64_t id, struct broker_order *o)
{
	struct broker_memory *m = &p->memory[p->next_memory];

	if (o->len > MAX_REMEMBERED / 4)
		return;
	/* The oldest go until it fits; the table is a ring. */
	for (uint32_t i = 0; i < TRNC_BROKER_REMEMBERED && (m->order || p->memory_bytes + o->len > MAX_REMEMBERED); i++) {
		struct broker_memory *old = &p->memory[(p->next_memory + i) % TRNC_BROKER_REMEMBERED];

		if (!old->order)
			continue;
		p->memory_bytes -= old->order->len;
		old->order = broker_order_unref(old->order);
	}
	*m = (struct broker_memory){ .id = id, .order = o };
	o->refs++;
	p->memory_bytes += o->len;
	p->next_memory = (p->next_memory + 1) % TRNC_BROKER_REMEMBERED;
}

static int handle_compile(struct broker_peer *p, const uint8_t *body, size_t len)
{
	struct trnc_broker_compile head;
	struct broker_order *o;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(&head, body, sizeof(head));
	if (p->head.id == 0 || p->nr_asks >= MAX_ASKS)
		return -EPROTO;
	if (head.device > TRNC_BROKER_QUICK || head.nr_variants || head.host_device > 4096) {
		broker_peer_refuse(p, p->head.id, -EINVAL, "a program's request");
		return 0;
	}
	o = p->nr_asks && p->asked_bytes + len > MAX_ASKED ? NULL : malloc(sizeof(*o) + len);
	if (!o) {
		broker_peer_refuse(p, p->head.id, -ENOMEM, "a program's request");
		return 0;
	}
	o->refs = 1;
	o->is_guest = p->is_guest;
	o->len = len;
	o->head = head;
	memcpy(o->rest, body + sizeof(head), len - sizeof(head));
	if (head.device == TRNC_BROKER_MAIN)
		remember(p, p->head.id, o);
	broker_compile(p, p->head.id, o);
	broker_order_unref(o);
	return 0;
}

static int handle_used(struct broker_peer *p, const uint8_t *body, size_t len)
{
	struct trnc_broker_variant variants[TRNC_BROKER_MAX_VARIANTS];
	struct trnc_broker_used used;

	if (len < sizeof(used))
		return -EPROTO;
	memcpy(&used, body, sizeof(used));
	if (used.reserved || used.nr_variants > TRNC_BROKER_MAX_VARIANTS ||
	    len != sizeof(used) + used.nr_variants * sizeof(variants[0]))
		return -EPROTO;
	memcpy(variants, body + sizeof(used), used.nr_variants * sizeof(variants[0]));
	for (uint32_t i = 0; i < TRNC_BROKER_REMEMBERED; i++)
		if (p->memory[i].order && p->memory[i].id == used.compile)
			broker_used(p->broker, p->memory[i].order, variants, used.nr_variants);
	return 0;
}

static int handle(struct broker_peer *p)
{
	size_t len = p->head.len - sizeof(p->head);

	if (p->head.type == TRNC_BROKER_COMPILE)
		return handle_compile(p, p->body, len);
	if (p->head.type == TRNC_BROKER_USED)
		return handle_used(p, p->body, len);
	if (p->head.type == TRNC_BROKER_GATE && len == 0 && p->broker->process->hub) {
		parent_hub_gate(p->broker->process->hub, p->tag);
		return 0;
	}
	return -EPROTO;
}

/* Room for what comes next: grows with what has come, not with what is said to come. */
static int make_room(struct broker_peer *p)
{
	size_t have = p->got - sizeof(p->head), want = p->head.len - sizeof(p->head);
	uint8_t *body;

	if (have < p->body_cap)
		return 0;
	p->body_cap = p->body_cap ? 2 * p->body_cap : 4096;
	if (p->body_cap > want)
		p->body_cap = want;
	body = realloc(p->body, p->body_cap ? p->body_cap : 1);
	if (!body)
		return -ENOMEM;
	p->body = body;
	return 0;
}

/* One piece of a message. Return: 1: there may be more; 0: not now; -errno: the peer goes. */
static int read_some(struct broker_peer *p)
{
	uint8_t *at = (uint8_t *)&p->head + p->got;
	size_t want = sizeof(p->head) - p->got;
	ssize_t n;

	if (p->got >= sizeof(p->head)) {
		int r = make_room(p);

		if (r < 0)
			return r;
		at = p->body + p->got - sizeof(p->head);
		want = p->body_cap - (p->got - sizeof(p->head));
	}
	if (want) {
		n = recv(p->sock, at, want, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		p->got += (size_t)n;
	}
	if (p->got == sizeof(p->head) &&
	    (p->head.len < sizeof(p->head) || p->head.len > TRNC_MAX_BLOB || p->head.status || p->head.flags))
		return -EPROTO;
	return 1;
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct broker_peer *p = data;
	int r = events & EPOLLOUT ? flush(p) : 0;

	/* One message: it may take a while, and others are waiting. */
	for (int i = 0; i < 64 && r >= 0 && !p->is_cut && (r = read_some(p)) > 0; i++) {
		if (p->got < sizeof(p->head) || p->got < p->head.len)
			continue;
		r = handle(p);
		free(p->body);
		p->body = NULL;
		p->body_cap = p->got = 0;
		break;
	}
	if (r < 0 || p->is_cut)
		broker_peer_close(p);
	else
		watch(p);
	return 0;
}

/* ------------------------------------------------------------------ life */

void broker_peer_open(struct parent_broker *b, int sock, uint64_t tag, bool is_guest)
{
	struct broker_peer *p = calloc(1, sizeof(*p));

	if (!p || sd_event_add_io(b->process->event, &p->io, sock, EPOLLIN, on_peer, p) < 0) {
		free(p);
		base_close(sock);
		return;
	}
	/* One that has no end of messages does not take the time of all others. */
	(void)sd_event_source_set_ratelimit(p->io, TURNS_US, MAX_TURNS);
	p->broker = b;
	p->sock = sock;
	p->tag = tag;
	p->is_guest = is_guest;
	base_list_init(&p->out);
	base_list_append(&b->peers, &p->node);
}

void broker_peer_close(struct broker_peer *p)
{
	broker_forget_asks(p);
	base_list_remove(&p->node);
	sd_event_source_disable_unref(p->io);
	base_close(p->sock);
	drop_packets(p);
	for (uint32_t i = 0; i < TRNC_BROKER_REMEMBERED; i++)
		broker_order_unref(p->memory[i].order);
	free(p->body);
	free(p);
}

void broker_close_peers(struct parent_broker *b)
{
	struct broker_peer *p, *next;

	base_list_for_each_safe(p, next, &b->peers, node)
		broker_peer_close(p);
}
