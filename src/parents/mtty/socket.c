/* SPDX-License-Identifier: MIT */
/* A line that is a Unix stream socket: one peer at a time, the next ones wait in the listener's queue. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "parents/mtty/line.h"

static int handle_arrival(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct mtty_line *line = data;

	line->stirred(line->data);
	return 0;
}

int mtty_socket_open(struct mtty_line *line, const char *path, struct trn_error *err)
{
	int r;

	if (!path || !*path)
		return trn_error_set(err, -EINVAL, "BadSocketPath", "a port is to be a socket, but no path is given");
	line->name = strdup(path);
	if (!line->name)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a line");
	line->listen_fd = base_socket_listen_stream(path, err);
	if (line->listen_fd < 0)
		return line->listen_fd;
	if (fcntl(line->listen_fd, F_SETFL, O_NONBLOCK) < 0)
		return trn_error_set(err, -errno, "SocketFailed", "cannot listen at %.100s: %s", path, strerror(errno));
	r = sd_event_add_io(line->event, &line->arrival, line->listen_fd, EPOLLIN, handle_arrival, line);
	if (r < 0)
		return trn_error_set(err, r, "SocketFailed", "cannot wait for peers at %.100s: %s", path, strerror(-r));
	return 0;
}

static void drop_peer(struct mtty_line *line)
{
	line->io = sd_event_source_disable_unref(line->io);
	line->fd = base_close(line->fd);
	line->has_peer = line->is_readable = false;
	(void)sd_event_source_set_enabled(line->arrival, SD_EVENT_ON);
}

static void take_peer(struct mtty_line *line)
{
	line->fd = accept4(line->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (line->fd < 0) {
		/* Who waits while no descriptor is left would be heard of without end. */
		if (errno == EMFILE || errno == ENFILE)
			(void)sd_event_source_set_enabled(line->arrival, SD_EVENT_OFF);
		return;
	}
	if (mtty_line_add_io(line) < 0) {
		drop_peer(line);
		return;
	}
	(void)sd_event_source_set_enabled(line->arrival, SD_EVENT_OFF);
	line->has_peer = line->is_readable = true;
}

/* A peer that has left is dropped when what it has written is read. */
void mtty_socket_look(struct mtty_line *line)
{
	if (line->fd >= 0 && mtty_line_is_hung_up(line))
		line->has_peer = false;
	if (line->fd >= 0 && !line->has_peer && !line->is_readable)
		drop_peer(line);
	if (line->fd < 0)
		take_peer(line);
}
