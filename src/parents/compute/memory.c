/* SPDX-License-Identifier: MIT */
#include "parents/compute/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/memfd.h"

static int open_again(int fd)
{
	char path[40];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

int compute_memory_create(uint64_t size, int *ret_own, int *ret_grant)
{
	_cleanup_close_ int fd = base_memfd_create("tranche-segment", size);
	_cleanup_close_ int own = -1, grant = -1;

	if (fd < 0)
		return fd;
	/* The descriptor of memfd_create() does not count as an opening, so it cannot be the one that is kept. */
	own = open_again(fd);
	if (own < 0)
		return own;
	grant = open_again(fd);
	if (grant < 0)
		return grant;
	*ret_own = TAKE_FD(own);
	*ret_grant = TAKE_FD(grant);
	return 0;
}

bool compute_memory_is_free(int own, uint64_t size)
{
	if (fcntl(own, F_SETLEASE, F_WRLCK) == 0)
		return true;
	if (errno == EAGAIN || errno == EBUSY)
		return false;
	/* A kernel without leases on memfds: at least nobody has it mapped for writing. */
	return base_memfd_retire(own, size) == 0;
}
