/* SPDX-License-Identifier: MIT */
/*
 * The socket on which a picture can be had.  A thread serves one connection after the other: making a picture takes
 * tens of milliseconds, which neither the device's event loop nor a guest shall feel, and a peer that does not read is
 * given up, so that the next one has its turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "base/thread.h"
#include "parents/bochs/priv.h"

#define STALL_MS 3000 /* a peer that takes nothing for that long is given up */
#define RETRY_MS 200  /* after accept has failed for lack of descriptors */

struct bochs_screen {
	struct trn_pci *pci;
	int listen_fd;
	int stop_fd; /* eventfd: readable when the thread shall end */
	pthread_t thread;
	char path[];
};

/* Waits for events on fd (-1: none). Return: true when they are there; false: time is over, or the thread shall end. */
static bool wait_for(const struct bochs_screen *s, int fd, short events, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = s->stop_fd, .events = POLLIN }, { .fd = fd, .events = events } };
	int r;

	do
		r = poll(fds, 2, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r > 0 && !fds[0].revents;
}

static bool shall_stop(const struct bochs_screen *s)
{
	struct pollfd fd = { .fd = s->stop_fd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void send_all(const struct bochs_screen *s, int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n < 0 && !wait_for(s, fd, POLLOUT, STALL_MS))
			return;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

static void serve(const struct bochs_screen *s, int fd)
{
	struct trn_error err = { 0 };
	char line[sizeof(err.text) + sizeof(err.hint) + 8];
	void *png;
	size_t len;

	if (bochs_screen_png(s->pci, &png, &len, &err) == 0) {
		send_all(s, fd, png, len);
		free(png);
		return;
	}
	snprintf(line, sizeof(line), "%s%s%s\n", err.text, err.hint[0] ? ": " : "", err.hint);
	send_all(s, fd, line, strlen(line));
}

static void *run(void *data)
{
	struct bochs_screen *s = data;

	while (!shall_stop(s)) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			serve(s, fd);
			base_close(fd);
		} else if (errno == EAGAIN) {
			wait_for(s, s->listen_fd, POLLIN, -1);
		} else if (errno != EINTR && errno != ECONNABORTED) {
			wait_for(s, -1, 0, RETRY_MS);
		}
	}
	return NULL;
}

int bochs_screen_start(struct trn_pci *pci, const char *path, struct bochs_screen **ret, struct trn_error *err)
{
	struct bochs_screen *s = calloc(1, sizeof(*s) + strlen(path) + 1);
	int r;

	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the screen's socket");
	s->pci = pci;
	memcpy(s->path, path, strlen(path) + 1);
	s->stop_fd = -1;
	s->listen_fd = r = base_socket_listen_stream(path, err);
	if (r < 0)
		goto fail;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->stop_fd < 0 || fcntl(s->listen_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : base_thread_start(&s->thread, run, s);
	if (r < 0) {
		trn_error_set(err, r, "ScreenFailed", "cannot serve the screen at %s: %s", path, strerror(-r));
		trn_error_hint(err, "free descriptors or processes on the host, then try again");
		unlink(path);
		goto fail;
	}
	*ret = s;
	return 0;

fail:
	base_close(s->stop_fd);
	base_close(s->listen_fd);
	free(s);
	return r;
}

void bochs_screen_stop(struct bochs_screen *screen)
{
	if (!screen)
		return;
	unlink(screen->path);
	(void)eventfd_write(screen->stop_fd, 1);
	pthread_join(screen->thread, NULL);
	base_close(screen->stop_fd);
	base_close(screen->listen_fd);
	free(screen);
}
