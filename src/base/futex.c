/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

int base_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = timeout_ns / (int64_t)NS_PER_S,
		.tv_nsec = timeout_ns % (int64_t)NS_PER_S,
	};

	/* Not FUTEX_PRIVATE: the word may lie in memory that another process maps. */
	if (syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns < 0 ? NULL : &ts, NULL, 0) == 0)
		return 0;
	return errno == EAGAIN ? 0 : -errno;
}

void base_futex_wake(_Atomic uint32_t *word)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	errno = saved;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t base_clock_raw_ns(void)
{
	return read_clock(CLOCK_MONOTONIC_RAW);
}

uint64_t base_clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}
