/* SPDX-License-Identifier: MIT */
/* The control socket and its connections. */
#include "device/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/peer.h"
#include "base/socket.h"
#include "device/control_priv.h"
#include "device/traces.h"

#define MAX_CONNS 256u
#define MAX_UNREAD (1u << 20) /* a peer that lets more lie is disconnected */
#define TELL_EVERY_NS 100000000ull

/* ---------------------------------------------------------------- replies */

void control_reply(struct control_conn *c, uint32_t type, uint64_t id, const void *body, size_t len)
{
	struct {
		struct trnc_msg head;
		uint8_t body[TRNC_MSG_MAX - sizeof(struct trnc_msg)];
	} packet;
	size_t padded = (len + 7) & ~(size_t)7;

	packet.head = (struct trnc_msg){ .type = type, .len = (uint32_t)(sizeof(packet.head) + padded), .id = id };
	memset(packet.body, 0, padded);
	if (len)
		memcpy(packet.body, body, len);
	compute_link_send(&c->link, &packet, packet.head.len, -1);
}

void control_refuse(struct control_conn *c, uint32_t type, uint64_t id, const struct trn_error *err)
{
	struct {
		struct trnc_msg head;
		struct trnc_error_body body;
	} packet = {
		.head = {
			.type = type | TRNC_MSG_REPLY,
			.len = sizeof(packet),
			.id = id,
			.status = err->code ? (uint32_t)-err->code : EIO,
		},
	};

	snprintf(packet.body.name, sizeof(packet.body.name), "%s", err->name ? err->name : "Failed");
	snprintf(packet.body.text, sizeof(packet.body.text), "%s", err->text);
	snprintf(packet.body.hint, sizeof(packet.body.hint), "%s", err->hint);
	compute_link_send(&c->link, &packet, sizeof(packet), -1);
}

/* ---------------------------------------------------------------- changes */

static void send_changed(struct device_control_server *cs)
{
	struct trnc_control_stats stats;
	struct control_conn *c;

	cs->told_ns = base_clock_ns();
	device_process_get_stats(cs->process, &stats);
	base_list_for_each(c, &cs->conns, node)
		if (c->has_greeted && !c->is_closed)
			control_reply(c, TRNC_CONTROL_CHANGED, 0, &stats, sizeof(stats));
}

static int on_tell(sd_event_source *source, uint64_t usec, void *data)
{
	struct device_control_server *cs = data;

	cs->tell = sd_event_source_disable_unref(cs->tell);
	send_changed(cs);
	return 0;
}

void control_tell_changed(struct device_control_server *cs)
{
	uint64_t since = base_clock_ns() - cs->told_ns;

	if (cs->tell) /* what is told then is how it is then */
		return;
	if (since >= TELL_EVERY_NS ||
	    sd_event_add_time_relative(cs->process->event, &cs->tell, CLOCK_MONOTONIC, (TELL_EVERY_NS - since) / 1000 + 1, 1000,
				       on_tell, cs) < 0)
		send_changed(cs);
}

static int on_uses(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct device_control_server *cs = data;
	eventfd_t nr;

	(void)eventfd_read(fd, &nr);
	control_leave_check(cs);
	control_tell_changed(cs);
	return 0;
}

/* ------------------------------------------------------------ connections */

static void end_unconfirmed(struct device_control_server *cs, const char *why)
{
	device_process_set_why(cs->process, -ECANCELED, "Unconfirmed", "%s before the device was confirmed", why);
	device_process_stop(cs->process);
}

static void close_conn(struct control_conn *c)
{
	struct device_control_server *cs = c->server;

	if (c->is_closed)
		return;
	c->is_closed = true;
	compute_link_close(&c->link);
	control_leave_forget(c);
	if (cs->setter == c)
		cs->setter = NULL;
	if (cs->owner == c) {
		cs->owner = NULL;
		if (!cs->is_confirmed)
			end_unconfirmed(cs, "whoever started it has gone");
	}
	(void)sd_event_source_set_enabled(cs->gc, SD_EVENT_ONESHOT);
}

static void free_conn(struct control_conn *c)
{
	base_list_remove(&c->node);
	c->server->nr_conns--;
	compute_link_close(&c->link);
	free(c);
}

static int on_gc(sd_event_source *source, void *data)
{
	struct device_control_server *cs = data;
	struct control_conn *c, *next;

	base_list_for_each_safe(c, next, &cs->conns, node)
		if (c->is_closed)
			free_conn(c);
	return 0;
}

static struct control_conn *conn_of(struct compute_link *link)
{
	return base_container_of(link, struct control_conn, link);
}

static void handle_packet(struct compute_link *link, const void *data, size_t len, int *fd)
{
	control_handle_packet(conn_of(link), data, len);
}

static void handle_ended(struct compute_link *link, int reason)
{
	close_conn(conn_of(link));
}

static const struct compute_link_ops conn_ops = {
	.receive = handle_packet,
	.ended = handle_ended,
};

/* Takes over sock. */
static void add_conn(struct device_control_server *cs, int sock)
{
	struct control_conn *c = NULL;
	struct trn_error err = { 0 };

	if (cs->nr_conns < MAX_CONNS && base_peer_check(sock, geteuid(), &err) == 0)
		c = calloc(1, sizeof(*c));
	if (!c)
		goto turn_away;
	c->server = cs;
	base_list_init(&c->node);
	compute_link_init(&c->link, &conn_ops, MAX_UNREAD, false);
	if (compute_link_open(&c->link, cs->process->event, sock) < 0)
		goto turn_away;
	base_list_append(&cs->conns, &c->node);
	cs->nr_conns++;
	return;

turn_away:
	log_debug("a connection to the control socket is turned away%s%s", err.code ? ": " : "", err.text);
	free(c);
	base_close(sock);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct device_control_server *cs = data;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock >= 0)
		add_conn(cs, sock);
	else if (errno == EMFILE || errno == ENFILE)
		device_process_turn_one_away(cs->process, fd);
	return 0;
}

/* ------------------------------------------------------------------- life */

static int on_no_hello(sd_event_source *source, uint64_t usec, void *data)
{
	struct device_control_server *cs = data;

	cs->hello_limit = sd_event_source_disable_unref(cs->hello_limit);
	end_unconfirmed(cs, "nobody asked for it");
	return 0;
}

/* Under another name first, so that whoever sees the socket can connect. */
static int make_socket(struct device_control_server *cs, struct trn_error *err)
{
	const char *path = cs->process->options.control_socket, *slash = strrchr(path, '/');
	char first[sizeof(cs->path)];
	int fd, r;

	if (strlen(path) >= sizeof(cs->path) ||
	    snprintf(first, sizeof(first), "%.*s.c", slash ? (int)(slash - path) + 1 : 0, path) >= (int)sizeof(first)) {
		trn_error_set(err, -ENAMETOOLONG, "BadSocketPath", "the path of the control socket %.80s... is too long", path);
		return trn_error_hint(err, "choose a shorter folder, for example below /run");
	}
	if (cs->process->lock >= 0) {
		/* Nobody else can be this device: these are of one that was killed. */
		device_remove_stale(first);
		device_remove_stale(path);
	}
	fd = base_socket_listen(first, err);
	if (fd < 0)
		return fd;
	cs->listener = fd;
	if (renameat2(AT_FDCWD, first, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		r = trn_error_set(err, -errno, "SocketFailed", "cannot make the control socket %s: %s", path, strerror(errno));
		(void)unlink(first);
		return trn_error_hint(err, "choose a path at which there is no file"), r;
	}
	memcpy(cs->path, path, strlen(path) + 1);
	return 0;
}

static int watch(struct device_control_server *cs)
{
	sd_event *event = cs->process->event;
	int flags = EFD_CLOEXEC | EFD_NONBLOCK, r;

	cs->uses_fd = eventfd(0, flags);
	if (cs->uses_fd < 0)
		return -errno;
	r = sd_event_add_io(event, &cs->uses, cs->uses_fd, EPOLLIN, on_uses, cs);
	if (r >= 0)
		r = sd_event_add_io(event, &cs->io, cs->listener, EPOLLIN, on_connection, cs);
	if (r >= 0)
		r = sd_event_add_defer(event, &cs->gc, on_gc, cs);
	if (r >= 0)
		r = sd_event_source_set_enabled(cs->gc, SD_EVENT_OFF);
	if (r >= 0 && !cs->is_confirmed)
		r = sd_event_add_time_relative(event, &cs->hello_limit, CLOCK_MONOTONIC, TRNC_CONTROL_HELLO_MS * 1000ull, 10000,
					       on_no_hello, cs);
	if (r >= 0)
		trn_device_watch_uses(cs->process->dev, cs->uses_fd);
	return r;
}

int device_control_server_open(struct device_process *p, struct device_control_server **ret, struct trn_error *err)
{
	struct device_control_server *cs = calloc(1, sizeof(*cs));
	int r;

	if (!cs)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	cs->process = p;
	cs->listener = cs->uses_fd = -1;
	cs->is_confirmed = !p->options.is_unconfirmed;
	base_list_init(&cs->conns);
	r = make_socket(cs, err);
	if (r >= 0) {
		r = watch(cs);
		if (r < 0)
			trn_error_set(err, r, "NoEventLoop", "cannot watch the control socket: %s", strerror(-r));
	}
	if (r < 0) {
		device_control_server_close(cs);
		return r;
	}
	*ret = cs;
	return 0;
}

void device_control_server_stop(struct device_control_server *cs)
{
	if (!cs)
		return;
	control_leave_end(cs);
	cs->io = sd_event_source_disable_unref(cs->io);
	cs->uses = sd_event_source_disable_unref(cs->uses);
	cs->gc = sd_event_source_disable_unref(cs->gc);
	cs->tell = sd_event_source_disable_unref(cs->tell);
	cs->hello_limit = sd_event_source_disable_unref(cs->hello_limit);
	if (cs->uses_fd >= 0)
		trn_device_watch_uses(cs->process->dev, -1);
	cs->uses_fd = base_close(cs->uses_fd);
}

void device_control_server_close(struct device_control_server *cs)
{
	struct control_conn *c, *next;

	if (!cs)
		return;
	device_control_server_stop(cs);
	if (cs->path[0])
		(void)unlink(cs->path);
	base_list_for_each_safe(c, next, &cs->conns, node)
		free_conn(c);
	base_close(cs->listener);
	free(cs);
}
