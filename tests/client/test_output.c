/* SPDX-License-Identifier: MIT */
/* What kernels print reaches standard output, in order, waited for or not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake_device.h"
#include "unit.h"

static int real_stdout, file;

static void capture(void)
{
	fflush(stdout);
	real_stdout = dup(STDOUT_FILENO);
	file = memfd_create("stdout", MFD_CLOEXEC);
	dup2(file, STDOUT_FILENO);
}

static char *captured(void)
{
	static char text[2 << 20];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void restore(void)
{
	dup2(real_stdout, STDOUT_FILENO);
	base_close(real_stdout);
	base_close(file);
}

static bool always(void *data)
{
	return true;
}

static void test_drained_by_wait(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	char text[64] = "";

	assert_int_equal(client_output_enable(c, NULL), 0);
	assert_int_equal(client_output_enable(c, NULL), 0);
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_OUTPUT_SET]), 1);
	capture();
	fake_print(f, "hello, ");
	fake_print(f, "world\n");
	assert_int_equal(client_wait(c, always, NULL, -1), 0);
	memcpy(text, captured(), sizeof(text) - 1);
	restore();
	assert_string_equal(text, "hello, world\n");
	fake_context_free(c);
	fake_stop(f);
}

/* More than the ring holds, and nobody waits: the thread makes room. */
static void test_drained_by_thread(void **state)
{
	enum { LEN = 1000000 };
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	char *text = malloc(LEN + 1);
	bool is_same = false;

	for (int i = 0; i < LEN; i++)
		text[i] = (char)('a' + i % 26);
	text[LEN] = '\0';
	assert_int_equal(client_output_enable(c, NULL), 0);
	capture();
	fake_print(f, text);
	for (int i = 0; i < 20000 && !is_same; i++) {
		usleep(1000);
		is_same = strcmp(captured(), text) == 0;
	}
	restore();
	assert_true(is_same);
	free(text);
	fake_context_free(c);
	fake_stop(f);
}

/* Text that is there when the session ends is not lost. */
static void test_drained_at_end(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	char text[64] = "";

	assert_int_equal(client_output_enable(c, NULL), 0);
	capture();
	fake_print(f, "last words");
	fake_context_free(c);
	memcpy(text, captured(), sizeof(text) - 1);
	restore();
	assert_string_equal(text, "last words");
	fake_stop(f);
}

static void test_bad_producer(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();

	assert_int_equal(client_output_enable(c, NULL), 0);
	atomic_store((_Atomic uint64_t *)&atomic_load(&f->output)->producer, 1ull << 40);
	client_wait(c, always, NULL, -1);
	assert_true(client_context_is_lost(c));
	fake_context_free(c);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drained_by_wait),
		cmocka_unit_test(test_drained_by_thread),
		cmocka_unit_test(test_drained_at_end),
		cmocka_unit_test(test_bad_producer),
	};

	return unit_run(tests);
}
