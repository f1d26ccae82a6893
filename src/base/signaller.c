/* SPDX-License-Identifier: MIT */
#include "base/signaller.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/eventfd.h"

#define RING_MAGIC 0xa10a10a1u

/* Where the kernel notes which reads have ended, at the address that is the context. */
struct ring {
	uint32_t id;
	uint32_t nr;
	uint32_t head; /* ours */
	uint32_t tail; /* the kernel's */
	uint32_t magic;
};

static struct ring *ring_of(const struct base_signaller *s)
{
	return (struct ring *)(uintptr_t)s->context;
}

void base_signaller_init(struct base_signaller *s)
{
	s->context = 0;
	s->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->null_fd < 0 || syscall(SYS_io_setup, 1, &s->context) < 0)
		s->context = 0;
	else if (ring_of(s)->magic != RING_MAGIC)
		base_signaller_finish(s);
}

void base_signaller_finish(struct base_signaller *s)
{
	if (s->context)
		syscall(SYS_io_destroy, s->context);
	s->context = 0;
	s->null_fd = base_close(s->null_fd);
}

void base_signaller_signal(struct base_signaller *s, int fd)
{
	struct iocb read_nothing = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)s->null_fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list[] = { &read_nothing };

	if (s->context && syscall(SYS_io_submit, s->context, 1, list) == 1)
		__atomic_store_n(&ring_of(s)->head, __atomic_load_n(&ring_of(s)->tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	else
		base_eventfd_signal(fd);
}
