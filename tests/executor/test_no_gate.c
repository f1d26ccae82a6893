/* SPDX-License-Identifier: MIT */
/* What is given as a time gate and is none: the executor goes on without. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define GATE_SIZE 4096u

static void expect_no_gate(int fd)
{
	static struct harness h;
	uint64_t buffer;
	struct queue q;

	assert_true(fd >= 0);
	harness_give(-1, fd);
	harness_start(&h, 0);
	buffer = harness_buffer(&h, BUFFERS_AT, 4096);
	harness_queue(&h, &q, 0);
	harness_fill(&h, &q, buffer, 64, 7, 0, 0, NULL);
	harness_wait_seq(&h, q.event, q.seq);
	harness_stop(&h);
	harness_give(-1, -1);
	close(fd);
}

static int memory(off_t size, int seals)
{
	int fd = memfd_create("gate", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_no_memory(void **state)
{
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	expect_no_gate(pipes[0]);
	close(pipes[1]);
	expect_no_gate(open("/dev/zero", O_RDWR));
}

static void test_could_shrink(void **state)
{
	(void)state;
	expect_no_gate(memory(GATE_SIZE, 0));
}

static void test_too_small(void **state)
{
	(void)state;
	expect_no_gate(memory(128, F_SEAL_GROW | F_SEAL_SHRINK));
}

static void test_cannot_be_written(void **state)
{
	(void)state;
	expect_no_gate(memory(GATE_SIZE, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_could_shrink),
		cmocka_unit_test(test_too_small), cmocka_unit_test(test_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
