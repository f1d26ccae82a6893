/* SPDX-License-Identifier: MIT */
/*
 * Futexes shared between processes, clocks, and a polite spin.
 *
 * The sleeper's rule (see docs/wire.md): store 1 to the flag, look again at what is waited for, then
 * base_futex_wait(flag, 1).  The waker's: base_futex_signal(flag) after publishing.
 */
#ifndef BASE_FUTEX_H
#define BASE_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleeps while *word == expected. timeout_ns < 0: no limit. Return: 0 woken or value changed, -ETIMEDOUT, -EINTR. */
int base_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns);

/* Wakes every sleeper on the word. */
void base_futex_wake(_Atomic uint32_t *word);

/* Wakes sleepers only if the flag is set, and clears it: no system call when nobody sleeps. */
static inline void base_futex_signal(_Atomic uint32_t *flag)
{
	if (atomic_load(flag) && atomic_exchange(flag, 0))
		base_futex_wake(flag);
}

/* CLOCK_MONOTONIC_RAW, the clock of event times; and CLOCK_MONOTONIC for deadlines. Nanoseconds. */
uint64_t base_clock_raw_ns(void);
uint64_t base_clock_ns(void);

static inline void base_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
