/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define MS 1000000

static void test_wait_returns_when_the_value_differs(void **state)
{
	_Atomic uint32_t word = 5;

	assert_int_equal(base_futex_wait(&word, 4, -1), 0);
}

static void test_wait_times_out(void **state)
{
	_Atomic uint32_t word = 5;
	uint64_t start = base_clock_ns();

	assert_int_equal(base_futex_wait(&word, 5, 20 * MS), -ETIMEDOUT);
	assert_true(base_clock_ns() - start >= 20 * MS);
	assert_int_equal(base_futex_wait(&word, 5, 0), -ETIMEDOUT);
}

struct shared {
	_Atomic uint32_t flag;
	_Atomic uint32_t value;
};

static void *publish(void *arg)
{
	struct shared *s = arg;

	usleep(10000);
	atomic_store(&s->value, 1);
	base_futex_signal(&s->flag);
	return NULL;
}

/* The sleeper's rule of futex.h. */
static void sleep_until_published(struct shared *s)
{
	while (!atomic_load(&s->value)) {
		atomic_store(&s->flag, 1);
		if (!atomic_load(&s->value))
			base_futex_wait(&s->flag, 1, 1000ll * MS);
		base_cpu_relax();
	}
}

static void test_signal_wakes_a_thread(void **state)
{
	struct shared s = { 0 };
	pthread_t thread;

	pthread_create(&thread, NULL, publish, &s);
	sleep_until_published(&s);
	pthread_join(thread, NULL);
	base_futex_signal(&s.flag);
	assert_int_equal(atomic_load(&s.flag), 0);
}

static void test_signal_wakes_another_process(void **state)
{
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(s, MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		publish(s);
		_exit(0);
	}
	sleep_until_published(s);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap(s, 4096);
}

static void test_clocks_run(void **state)
{
	uint64_t raw = base_clock_raw_ns(), mono = base_clock_ns();

	usleep(2000);
	assert_true(base_clock_raw_ns() > raw + MS);
	assert_true(base_clock_ns() > mono + MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_returns_when_the_value_differs),
		cmocka_unit_test(test_wait_times_out),
		cmocka_unit_test(test_signal_wakes_a_thread),
		cmocka_unit_test(test_signal_wakes_another_process),
		cmocka_unit_test(test_clocks_run),
	};

	return unit_run(tests);
}
