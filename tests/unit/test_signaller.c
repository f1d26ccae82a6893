/* SPDX-License-Identifier: MIT */
/* base/signaller.h: eventfds of others are signalled, and never waited for. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/eventfd.h"
#include "base/signaller.h"
#include "unit.h"

static uint64_t count_of(int fd)
{
	uint64_t count = 0;

	(void)base_eventfd_take(fd, &count);
	return count;
}

static void test_counts(void **state)
{
	struct base_signaller s;
	int a = eventfd(0, EFD_CLOEXEC), b = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	base_signaller_init(&s);
	/* More often than the kernel's list of what has ended is long. */
	for (int i = 0; i < 1000; i++)
		base_signaller_signal(&s, a);
	base_signaller_signal(&s, b);
	assert_int_equal(count_of(a), 1000);
	assert_int_equal(count_of(b), 1);
	base_signaller_finish(&s);
	close(a);
	close(b);
}

/* The descriptor blocks and its counter is full: a write would wait for ever. */
static void test_does_not_wait(void **state)
{
	struct base_signaller s;
	int fd = eventfd(0, EFD_CLOEXEC);

	alarm(10);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	base_signaller_init(&s);
	for (int i = 0; i < 10; i++)
		base_signaller_signal(&s, fd);
	base_signaller_finish(&s);
	assert_true(count_of(fd) >= UINT64_MAX - 1);
	alarm(0);
	close(fd);
}

/* Without asynchronous reads it signals all the same, and bad descriptors are nobody's. */
static void test_without_context(void **state)
{
	struct base_signaller s;
	int fd = eventfd(0, EFD_CLOEXEC);

	base_signaller_init(&s);
	base_signaller_finish(&s);
	base_signaller_signal(&s, fd);
	base_signaller_signal(&s, -1);
	base_signaller_finish(&s);
	assert_int_equal(count_of(fd), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_does_not_wait),
		cmocka_unit_test(test_without_context),
	};

	return unit_run(tests);
}
