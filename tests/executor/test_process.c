/* SPDX-License-Identifier: MIT */
/* The process: start, what it tells of the host, output, fences around it, end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/socket.h"
#include "harness.h"

static struct harness h;

static void test_ready(void **state)
{
	uint64_t start = base_clock_ns();
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t devices = 0, errors = 0, formats = 0, platform = 0, param;
	bool has_name = false;

	(void)state;
	harness_spawn(&h, 0, 0, 0);
	print_message("ready in %.1f ms, %llu bytes\n", (double)(base_clock_ns() - start) / 1e6,
		      (unsigned long long)h.ready.probe_len);
	base_blob_reader_init(&r, h.probe, h.ready.probe_len);
	while (base_blob_next(&r, &it)) {
		memcpy(&param, it.data, sizeof(param));
		platform += it.tag == TRNC_TAG_PLATFORM_INFO;
		devices += it.tag == TRNC_TAG_DEVICE_INFO;
		errors += it.tag == TRNC_TAG_DEVICE_ERROR;
		formats += it.tag == TRNC_TAG_IMAGE_FORMATS;
		has_name |= it.tag == TRNC_TAG_DEVICE_INFO && param == 0x102b;
	}
	assert_false(r.malformed);
	assert_true(platform >= 5 && devices >= 70 && errors >= 1);
	assert_true(has_name);
	print_message("%u platform, %u device answers, %u refusals, %u format lists\n", platform, devices, errors,
		      formats);
	harness_stop(&h);
}

static void test_same_address(void **state)
{
	/* Far from where programs and libraries are put. */
	const uint64_t at = 0x200000000000;

	(void)state;
	harness_spawn(&h, 0, 0, at);
	assert_true(h.ready.flags & TRNC_SESSION_SVM);
	harness_stop(&h);
	/* An address that no process has. */
	harness_spawn(&h, 0, 0, 1ull << 56);
	assert_false(h.ready.flags & TRNC_SESSION_SVM);
	harness_stop(&h);
}

static void test_no_such_device(void **state)
{
	struct trnc_exec_setup s = { .host_device = 4000, .window_size = WINDOW_SIZE };
	_Alignas(8) struct {
		struct trnc_msg msg;
		struct trnc_error_body body;
	} reply;
	size_t nr_fds = 0;
	int socks[2], status;
	uint64_t id;

	(void)state;
	memset(&h, 0, sizeof(h));
	h.next_id = 1;
	assert_int_equal(base_socket_pair(socks), 0);
	h.pid = fork();
	if (h.pid == 0) {
		const char *path = getenv("TRANCHE_EXECUTOR_PATH");

		dup2(socks[1], TRNC_EXEC_FD);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(socks[1]);
	h.sock = socks[0];
	id = harness_send(&h, TRNC_EXEC_SETUP, &s, sizeof(s), -1);
	assert_int_equal(base_recv(h.sock, &reply, sizeof(reply), NULL, &nr_fds), sizeof(reply));
	assert_int_equal(reply.msg.id, id);
	assert_int_equal(reply.msg.status, ENODEV);
	assert_string_equal(reply.body.name, "NoHostDevice");
	assert_non_null(strstr(reply.body.text, "4000"));
	assert_non_null(strstr(reply.body.hint, "0: "));
	print_message("%s; %s\n", reply.body.text, reply.body.hint);
	close(h.sock);
	assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
}

static const char printing[] = "kernel void k(int n) { printf(\"hello %d\\n\", n); }";

static void test_printf_comes_before_completion(void **state)
{
	const struct trnc_output_set o = { .offset = OUTPUT_AT, .data_len = OUTPUT_LEN };
	struct trnc_output *out;
	uint64_t p, e, kernel, taken = 0;
	struct queue q;
	int32_t n;

	(void)state;
	harness_start(&h, 0);
	out = (void *)(h.window + OUTPUT_AT);
	p = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, p, printing, ""), TRNC_TAG_PRINTF), 1);
	kernel = harness_kernel(&h, p, 0);
	harness_queue(&h, &q, 0);
	for (n = 0; n < 50; n++) {
		struct launch l = { .kernel = kernel, .global = 1, .nr_args = 1, .args = { { TRNC_ARG_VALUE, 4, &n } } };
		char want[32];
		size_t len;

		/* The first text comes before there is a ring. */
		if (n == 1)
			harness_call(&h, TRNC_MSG_OUTPUT_SET, &o, sizeof(o), 0, NULL, 0);
		e = harness_event(&h);
		l.event = n % 2 ? e : 0;
		harness_launch(&h, &q, &l, false);
		if (n % 2)
			assert_int_equal(harness_wait(&h, e), 0);
		else
			harness_wait_seq(&h, q.event, q.seq);
		if (n == 0)
			continue;
		if (n == 1) {
			uint64_t start = base_clock_ns();

			while (out->producer < 16 && base_clock_ns() - start < TIMEOUT_NS)
				usleep(100);
			assert_memory_equal(h.window + OUTPUT_AT + sizeof(*out), "hello 0\nhello 1\n", 16);
			taken = 16;
			continue;
		}
		len = (size_t)snprintf(want, sizeof(want), "hello %d\n", n);
		assert_int_equal(out->producer, taken + len);
		assert_memory_equal(h.window + OUTPUT_AT + sizeof(*out) + taken, want, len);
		taken += len;
	}
	harness_stop(&h);
}

static void test_full_output_ring_waits(void **state)
{
	const struct trnc_output_set o = { .offset = OUTPUT_AT, .data_len = OUTPUT_LEN };
	const uint32_t lines = 40000;
	struct trnc_output *out;
	uint64_t p, e, kernel, taken = 0, start;
	struct launch l = { .global = lines, .local = 100 };
	struct queue q;

	(void)state;
	harness_start(&h, 0);
	out = (void *)(h.window + OUTPUT_AT);
	harness_call(&h, TRNC_MSG_OUTPUT_SET, &o, sizeof(o), 0, NULL, 0);
	p = harness_handle(&h);
	harness_build(&h, p, "kernel void k(void) { printf(\"0123456\\n\"); }", "");
	kernel = harness_kernel(&h, p, 0);
	harness_queue(&h, &q, 0);
	e = harness_event(&h);
	l.kernel = kernel;
	l.event = e;
	harness_launch(&h, &q, &l, false);
	usleep(300000);
	assert_true(harness_status(&h, e) > 0);
	start = base_clock_ns();
	while (taken < lines * 8) {
		uint64_t producer = atomic_load((_Atomic uint64_t *)&out->producer);

		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		for (; taken < producer; taken++)
			assert_int_equal(h.window[OUTPUT_AT + sizeof(*out) + taken % OUTPUT_LEN], "0123456\n"[taken % 8]);
		atomic_store((_Atomic uint64_t *)&out->consumer, taken);
		base_futex_signal((_Atomic uint32_t *)&out->host_asleep);
		usleep(50);
	}
	assert_int_equal(harness_wait(&h, e), 0);
	harness_stop(&h);
}

static void test_not_coherent(void **state)
{
	struct trnc_cmd_map m;
	struct queue q;
	uint64_t buffer, e1, e2;

	(void)state;
	harness_start(&h, TRNC_EXEC_FLAG_NOT_COHERENT);
	assert_false(h.ready.flags & TRNC_SESSION_COHERENT);
	buffer = harness_buffer(&h, BUFFERS_AT, 4096);
	e1 = harness_event(&h);
	e2 = harness_event(&h);
	harness_queue(&h, &q, 0);
	harness_fill(&h, &q, buffer, 4096, 9, 0, 0, NULL);
	m = (struct trnc_cmd_map){
		.cmd = harness_head(&h, &q, e1, 0), .buffer = buffer, .size = 4096, .flags = 3, .map = 77,
	};
	harness_put(&h, &m, sizeof(m));
	harness_submit(&h, TRNC_REC_MAP);
	assert_int_equal(harness_wait(&h, e1), 0);
	assert_int_equal(h.window[BUFFERS_AT + 4095], 9);
	m = (struct trnc_cmd_map){ .cmd = harness_head(&h, &q, e2, 0), .buffer = buffer, .map = 77 };
	harness_put(&h, &m, sizeof(m));
	harness_submit(&h, TRNC_REC_UNMAP);
	assert_int_equal(harness_wait(&h, e2), 0);
	/* Once only. */
	m.cmd = harness_head(&h, &q, 0, 0);
	harness_put(&h, &m, sizeof(m));
	harness_submit(&h, TRNC_REC_UNMAP);
	harness_wait_refused(&h, 1);
	harness_stop(&h);
}

/* Kernels are native code: what a system call from one gets. */
static const char calls[] =
	"long call(long n, long a, long b, long c) { long r;\n"
	"	__asm__ volatile(\"syscall\" : \"=a\"(r) : \"a\"(n), \"D\"(a), \"S\"(b), \"d\"(c) : \"rcx\", \"r11\", \"memory\");\n"
	"	return r; }\n"
	"kernel void k(global long *out, global char *path, long parent) {\n"
	"	out[0] = call(62, parent, 0, 0);\n" /* kill */
	"	out[1] = call(319, (long)path, 0, 0);\n" /* memfd_create */
	"	out[2] = call(101, 16, parent, 0);\n" /* ptrace attach */
	"	out[3] = call(41, 2, 1, 0);\n" /* socket */
	"	out[4] = call(2, (long)path, 0101, 0600);\n" /* open for creating */
	"	out[5] = call(112, 0, 0, 0);\n" /* setsid */
	"	out[6] = call(157, 1, 0, 0);\n" /* prctl PDEATHSIG */
	"	out[7] = call(39, 0, 0, 0);\n" /* getpid: a call that is allowed */
	"	out[8] = call(25, (long)out, 4096, 8192);\n" /* mremap */
	"}\n";

static void test_sandbox(void **state)
{
#ifdef __x86_64__
	int64_t *out, parent = getpid();
	uint64_t p, e, kernel, buffer, path;
	char name[] = "/tmp/tranche-sandbox-test";
	struct launch l;
	struct queue q;
	uint64_t len;

	(void)state;
	harness_start(&h, 0);
	out = (void *)(h.window + BUFFERS_AT);
	p = harness_handle(&h);
	len = harness_build(&h, p, calls, "");
	if (harness_find_u32(&h, len, TRNC_TAG_STATUS)) {
		harness_stop(&h);
		skip(); /* the host's compiler takes no assembly */
	}
	kernel = harness_kernel(&h, p, 0);
	harness_queue(&h, &q, 0);
	buffer = harness_buffer(&h, BUFFERS_AT, 4096);
	path = harness_buffer(&h, BUFFERS_AT + 4096, 4096);
	memcpy(h.window + BUFFERS_AT + 4096, name, sizeof(name));
	e = harness_event(&h);
	l = (struct launch){
		.kernel = kernel, .global = 1, .event = e, .nr_args = 3,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_BUFFER, 8, &path }, { TRNC_ARG_VALUE, 8, &parent } },
	};
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(out[7], h.pid);
	for (int i = 0; i < 9; i++)
		if (i != 7 && i != 4)
			assert_true(out[i] == -EPERM || out[i] == -EACCES || out[i] == -ENOSYS);
	/* Without Landlock the file can be made. */
	print_message("creating a file: %lld\n", (long long)out[4]);
	unlink(name);
	harness_stop(&h);
#else
	(void)state;
	skip();
#endif
}

static void test_ends_with_device_process(void **state)
{
	uint64_t p, kernel, buffer, start;
	struct launch l;
	struct queue q;
	pid_t gone;
	int status;

	(void)state;
	harness_start(&h, 0);
	p = harness_handle(&h);
	harness_build(&h, p, "kernel void k(volatile global int *a) { a[0] = 1; while (a[0]) {} }", "");
	kernel = harness_kernel(&h, p, 0);
	harness_queue(&h, &q, 0);
	buffer = harness_buffer(&h, BUFFERS_AT, 4096);
	l = (struct launch){ .kernel = kernel, .global = 1, .nr_args = 1, .args = { { TRNC_ARG_BUFFER, 8, &buffer } } };
	harness_launch(&h, &q, &l, false);
	start = base_clock_ns();
	while (!atomic_load((_Atomic int *)(void *)(h.window + BUFFERS_AT))) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(1000);
	}
	/* An endless kernel does not keep it. */
	close(h.sock);
	start = base_clock_ns();
	while ((gone = waitpid(h.pid, &status, WNOHANG)) == 0 && base_clock_ns() - start < TIMEOUT_NS)
		usleep(10000);
	assert_int_equal(gone, h.pid);
	munmap(h.window, WINDOW_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_same_address),
		cmocka_unit_test(test_no_such_device),
		cmocka_unit_test(test_printf_comes_before_completion),
		cmocka_unit_test(test_full_output_ring_waits),
		cmocka_unit_test(test_not_coherent),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_ends_with_device_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
