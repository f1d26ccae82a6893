/* SPDX-License-Identifier: MIT */
#include "descriptors.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LARGE_SIZE ((off_t)1 << 40)

static int make_memory(off_t size, int seals)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && ftruncate(fd, size) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static int make_read_only(int memory)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void make_pairs(struct descriptors *d)
{
	int ends[2];

	must(pipe2(ends, O_CLOEXEC) == 0);
	d->fds[FD_PIPE_READ] = ends[0];
	d->fds[FD_PIPE_WRITE] = ends[1];
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	d->fds[FD_SOCKET] = ends[0];
}

void descriptors_make(struct descriptors *d)
{
	d->fds[FD_SEALED] = make_memory(DESCRIPTOR_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
	d->fds[FD_SHRINKING] = make_memory(DESCRIPTOR_SIZE, 0);
	d->fds[FD_SMALL] = make_memory(100, F_SEAL_SHRINK);
	d->fds[FD_READ_ONLY] = make_read_only(d->fds[FD_SEALED]);
	d->fds[FD_LARGE] = make_memory(LARGE_SIZE, F_SEAL_SHRINK);
	d->fds[FD_EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->fds[FD_EVENT_2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->fds[FD_EVENT_FULL] = eventfd(0, EFD_CLOEXEC);
	must(eventfd_write(d->fds[FD_EVENT_FULL], UINT64_MAX - 1) == 0);
	make_pairs(d);
	d->fds[FD_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	d->fds[FD_ZERO] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	d->fds[FD_PATH] = open("/", O_PATH | O_CLOEXEC);
	d->fds[FD_TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	d->fds[FD_EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; i < NR_FD_KINDS; i++)
		must(d->fds[i] >= 0);
}

void descriptors_restore(struct descriptors *d)
{
	eventfd_t n;

	must(ftruncate(d->fds[FD_SHRINKING], DESCRIPTOR_SIZE) == 0);
	must(fallocate(d->fds[FD_LARGE], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, LARGE_SIZE) == 0);
	(void)eventfd_read(d->fds[FD_EVENT], &n);
	(void)eventfd_read(d->fds[FD_EVENT_2], &n);
}

void descriptors_shrink(struct descriptors *d)
{
	must(ftruncate(d->fds[FD_SHRINKING], 0) == 0);
}

void descriptors_signal(struct descriptors *d)
{
	must(eventfd_write(d->fds[FD_EVENT], 1) == 0 && eventfd_write(d->fds[FD_EVENT_2], 1) == 0);
}

/* One call tells of all: of those that are not open it says so. */
static void look(uint8_t are_open[MAX_OPEN_FDS])
{
	struct pollfd p[MAX_OPEN_FDS];

	for (unsigned int i = 0; i < MAX_OPEN_FDS; i++)
		p[i] = (struct pollfd){ .fd = (int)i };
	must(poll(p, MAX_OPEN_FDS, 0) >= 0);
	for (unsigned int i = 0; i < MAX_OPEN_FDS; i++)
		are_open[i] = !(p[i].revents & POLLNVAL);
}

void open_fds_note(struct open_fds *o)
{
	look(o->are_open);
}

void open_fds_check(const struct open_fds *o)
{
	struct open_fds now;

	look(now.are_open);
	must(input_is_same(now.are_open, o->are_open, MAX_OPEN_FDS));
}
