// SPDX-License-Identifier: MIT
/*
 * Preloaded into a program: counts its calls of ioctl() and prints "ioctls N" when it ends.  Unlike strace it changes
 * nothing of when the program sleeps, and so of how often.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic unsigned long nr_ioctls;

int ioctl(int fd, unsigned long request, ...);

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	atomic_fetch_add_explicit(&nr_ioctls, 1, memory_order_relaxed);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

__attribute__((destructor)) static void print(void)
{
	printf("ioctls %lu\n", atomic_load(&nr_ioctls));
}
