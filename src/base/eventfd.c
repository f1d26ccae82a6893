/* SPDX-License-Identifier: MIT */
#include "base/eventfd.h"

#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_ready(int fd, short event)
{
	struct pollfd p = { .fd = fd, .events = event };

	return poll(&p, 1, 0) == 1 && p.revents & event;
}

void base_eventfd_signal(int fd)
{
	uint64_t one = 1;

	if (is_ready(fd, POLLOUT) && write(fd, &one, sizeof(one)) < 0)
		return;
}

bool base_eventfd_take(int fd, uint64_t *ret)
{
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	if (n < 0 && errno == EOPNOTSUPP && is_ready(fd, POLLIN))
		n = read(fd, &count, sizeof(count));
	if (n != sizeof(count))
		return false;
	if (ret)
		*ret = count;
	return true;
}
