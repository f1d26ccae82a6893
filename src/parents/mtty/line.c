/* SPDX-License-Identifier: MIT */
#include "parents/mtty/line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- For the kinds with a descriptor --- */

static int handle_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct mtty_line *line = data;

	line->stirred(line->data);
	return 0;
}

int mtty_line_add_io(struct mtty_line *line)
{
	int r = sd_event_add_io(line->event, &line->io, line->fd, 0, handle_io, line);

	return r < 0 ? r : sd_event_source_set_enabled(line->io, SD_EVENT_OFF);
}

bool mtty_line_is_hung_up(const struct mtty_line *line)
{
	struct pollfd p = { .fd = line->fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* --- Opening and closing --- */

static int open_kind(struct mtty_line *line, const struct mtty_line_config *config, struct trn_error *err)
{
	switch (config->kind) {
	case MTTY_LINE_LOOP:
		line->name = strdup("loop");
		return line->name ? 0 : trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a line");
	case MTTY_LINE_PTY:
		return mtty_pty_open(line, config->path, err);
	case MTTY_LINE_SOCKET:
		return mtty_socket_open(line, config->path, err);
	default:
		return trn_error_set(err, -EINVAL, "BadLine", "there is no line of the kind %d", (int)config->kind);
	}
}

int mtty_line_open(struct mtty_line *line, const struct mtty_line_config *config, sd_event *event,
		   void (*stirred)(void *data), void *data, struct trn_error *err)
{
	int r;

	*line = (struct mtty_line){
		.kind = config->kind,
		.event = event,
		.stirred = stirred,
		.data = data,
		.fd = -1,
		.listen_fd = -1,
	};
	r = open_kind(line, config, err);
	if (r < 0) {
		mtty_line_close(line);
		trn_error_hint(err, "connect the port to another line");
	}
	return r;
}

static void remove_files(const struct mtty_line *line)
{
	char target[64];
	ssize_t len;

	if (line->listen_fd >= 0)
		(void)unlink(line->name);
	if (!line->link)
		return;
	/* Perhaps somebody else has put a link of his own there meanwhile. */
	len = readlink(line->link, target, sizeof(target));
	if (len == (ssize_t)strlen(line->name) && !memcmp(target, line->name, (size_t)len))
		(void)unlink(line->link);
}

void mtty_line_close(struct mtty_line *line)
{
	/* Never opened: the descriptors are not ours. */
	if (!line->stirred)
		return;
	sd_event_source_disable_unref(line->io);
	sd_event_source_disable_unref(line->arrival);
	if (line->name)
		remove_files(line);
	base_close(line->fd);
	base_close(line->listen_fd);
	free(line->name);
	free(line->link);
	*line = (struct mtty_line){ .fd = -1, .listen_fd = -1 };
}

/* --- While it is open --- */

void mtty_line_look(struct mtty_line *line)
{
	if (line->kind == MTTY_LINE_PTY)
		mtty_pty_look(line);
	else if (line->kind == MTTY_LINE_SOCKET)
		mtty_socket_look(line);
}

/* A hang-up is reported without end, whatever is asked for: without a peer the source is off. */
void mtty_line_watch(struct mtty_line *line, bool read, bool write)
{
	if (!line->io)
		return;
	if (line->has_peer)
		(void)sd_event_source_set_io_events(line->io, (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u));
	(void)sd_event_source_set_enabled(line->io, line->has_peer ? SD_EVENT_ON : SD_EVENT_OFF);
}

static bool is_for_later(int error)
{
	return error == EAGAIN || error == EINTR;
}

size_t mtty_line_read(struct mtty_line *line, void *buf, size_t len)
{
	ssize_t n;

	if (!line->is_readable)
		return 0;
	n = read(line->fd, buf, len);
	if (n > 0)
		return (size_t)n;
	/* The end of what a peer has to say, be it that it shuts down one direction or has left. */
	if (n == 0 || !is_for_later(errno) || !line->has_peer)
		line->is_readable = false;
	return 0;
}

size_t mtty_line_write(struct mtty_line *line, const void *buf, size_t len)
{
	ssize_t n;

	if (!line->has_peer)
		return len;
	if (line->kind == MTTY_LINE_SOCKET)
		n = send(line->fd, buf, len, MSG_NOSIGNAL);
	else
		n = write(line->fd, buf, len);
	if (n < 0)
		return is_for_later(errno) ? 0 : len;
	return (size_t)n;
}
