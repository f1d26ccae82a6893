/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"

#include <errno.h>

int base_close(int fd)
{
	int saved = errno;

	/* Not retried on EINTR: Linux has freed the number by then, and another thread may own it already. */
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
