/* SPDX-License-Identifier: MIT */
/* Commands that run: results in place, order, completion. */
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "harness.h"

#define N 4096u

static const char source[] =
	"kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n"
	"kernel void empty(void) {}\n"
	"kernel void scratch(global int *a, local int *b) { b[get_local_id(0)] = 7; barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	a[get_global_id(0)] = b[0]; }\n";

static struct harness h;
static uint64_t program, add, empty, scratch;
static struct queue q;

static int setup(void **state)
{
	uint64_t len;

	(void)state;
	harness_start(&h, 0);
	program = harness_handle(&h);
	len = harness_build(&h, program, source, "");
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	add = harness_kernel(&h, program, 0);
	empty = harness_kernel(&h, program, 1);
	scratch = harness_kernel(&h, program, 2);
	harness_queue(&h, &q, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

static void launch_add(uint64_t buffer, int32_t n, uint64_t event, uint32_t nr_waits, const uint64_t *waits)
{
	struct launch l = {
		.kernel = add, .global = N, .event = event, .nr_waits = nr_waits, .waits = waits, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_VALUE, 4, &n } },
	};

	harness_launch(&h, &q, &l, false);
}

static void test_launch_works_in_place(void **state)
{
	int32_t *data = (void *)(h.window + BUFFERS_AT);
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, N * 4), e = harness_event(&h);

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		data[i] = (int32_t)i;
	launch_add(buffer, 5, e, 0, NULL);
	assert_int_equal(harness_wait(&h, e), 0);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(data[i], i + 5);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(h.page->refused, 0);
}

static void test_local_argument(void **state)
{
	int32_t *data = (void *)(h.window + BUFFERS_AT + (1 << 20));
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT + (1 << 20), N * 4), e = harness_event(&h);
	struct launch l = {
		.kernel = scratch, .global = N, .local = 64, .event = e, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_LOCAL, 256, NULL } },
	};

	(void)state;
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(data[i], 7);
}

/* Completions are counted after they are told of. */
static void wait_counted(uint64_t commands)
{
	uint64_t start = base_clock_ns();

	while (atomic_load((_Atomic uint64_t *)&h.page->commands) < commands)
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
	assert_int_equal(h.page->commands, commands);
}

static void test_stream_without_events(void **state)
{
	struct launch l = { .kernel = empty, .global = 1, .local = 1 };
	uint64_t start;

	(void)state;
	harness_launch(&h, &q, &l, false);
	harness_wait_seq(&h, q.event, q.seq);
	wait_counted(q.seq); /* the only queue so far */
	start = base_clock_ns();
	for (int i = 0; i < 10000; i++)
		harness_launch(&h, &q, &l, false);
	harness_wait_seq(&h, q.event, q.seq);
	print_message("a launch of 10000: %.2f us\n", (double)(base_clock_ns() - start) / 1e7);
	wait_counted(q.seq);
	start = base_clock_ns();
	for (int i = 0; i < 2000; i++) {
		harness_launch(&h, &q, &l, false);
		harness_wait_seq(&h, q.event, q.seq);
	}
	print_message("launch and wait: %.1f us\n", (double)(base_clock_ns() - start) / 2e6);
}

static void test_copies(void **state)
{
	uint8_t *data = h.window + BUFFERS_AT + (2 << 20);
	uint64_t a = harness_buffer(&h, BUFFERS_AT + (2 << 20), 4096);
	uint64_t b = harness_buffer(&h, BUFFERS_AT + (2 << 20) + 4096, 4096), e = harness_event(&h);
	struct trnc_cmd_write w;
	struct trnc_cmd_copy c;
	struct trnc_cmd_copy_rect r;

	(void)state;
	memset(h.window + STAGING_AT, 0x5a, 100);
	harness_fill(&h, &q, a, 4096, 0x11, 0, 0, NULL);
	w = (struct trnc_cmd_write){
		.cmd = harness_head(&h, &q, 0, 0), .buffer = a, .offset = 50, .size = 100, .source = STAGING_AT,
	};
	harness_put(&h, &w, sizeof(w));
	harness_submit(&h, TRNC_REC_WRITE);
	c = (struct trnc_cmd_copy){ .cmd = harness_head(&h, &q, 0, 0), .src = a, .dst = b, .size = 4096 };
	harness_put(&h, &c, sizeof(c));
	harness_submit(&h, TRNC_REC_COPY);
	r = (struct trnc_cmd_copy_rect){
		.cmd = harness_head(&h, &q, e, 0), .src = a, .dst = b, .src_origin = { 50, 0, 0 },
		.dst_origin = { 0, 2, 0 }, .region = { 10, 2, 1 }, .src_row_pitch = 20, .src_slice_pitch = 40,
		.dst_row_pitch = 256, .dst_slice_pitch = 1024,
	};
	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_COPY_RECT);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(data[0], 0x11);
	assert_int_equal(data[50], 0x5a);
	assert_int_equal(data[149], 0x5a);
	assert_int_equal(data[150], 0x11);
	assert_int_equal(data[4096 + 50], 0x5a);
	assert_int_equal(data[4096 + 512], 0x5a);
	assert_int_equal(data[4096 + 768 + 9], 0x5a);
	assert_int_equal(data[4096 + 768 + 10], 0x11);
	assert_int_equal(h.page->refused, 0);
}

static void test_sub_buffer_and_destroy(void **state)
{
	uint8_t *data = h.window + BUFFERS_AT + (3 << 20);
	uint64_t parent = harness_buffer(&h, BUFFERS_AT + (3 << 20), 8192), e = harness_event(&h);
	uint64_t gone = harness_event(&h);
	struct trnc_rec_sub_buffer_create s = {
		.buffer = harness_handle(&h), .parent = parent, .flags = 1, .origin = 4096, .size = 4096,
	};
	struct trnc_rec_buffer_destroy d = { .buffer = parent, .event = gone };

	(void)state;
	harness_put(&h, &s, sizeof(s));
	harness_submit(&h, TRNC_REC_SUB_BUFFER_CREATE);
	harness_fill(&h, &q, s.buffer, 4096, 0x77, e, 0, NULL);
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(data[4095], 0);
	assert_int_equal(data[4096], 0x77);
	/* The sub-buffer keeps it. */
	assert_true(harness_status(&h, gone) > 0);
	d.buffer = s.buffer;
	d.event = 0;
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	assert_int_equal(harness_wait(&h, gone), 0);
}

static void test_profiling_times(void **state)
{
	struct queue p;
	struct trnc_event_slot *s;
	uint64_t e = harness_event(&h), before = base_clock_raw_ns();
	struct launch l = { .kernel = empty, .global = 1, .event = e };

	(void)state;
	harness_queue(&h, &p, 2);
	harness_launch(&h, &p, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	s = harness_slot(&h, e);
	assert_true(before <= s->queued_ns);
	assert_true(s->queued_ns <= s->submit_ns);
	assert_true(s->submit_ns <= s->start_ns);
	assert_true(s->start_ns <= s->end_ns);
	assert_true(s->end_ns <= base_clock_raw_ns());
	assert_true(s->end_ns > before);
}

static void test_markers_and_maps(void **state)
{
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT + (4 << 20), 4096), e[5];
	struct trnc_cmd_map m;

	(void)state;
	for (int i = 0; i < 5; i++)
		e[i] = harness_event(&h);
	harness_fill(&h, &q, buffer, 4096, 1, e[0], 0, NULL);
	harness_marker(&h, &q, TRNC_REC_MARKER, e[1], 0, NULL);
	harness_marker(&h, &q, TRNC_REC_BARRIER, e[2], 1, &e[0]);
	m = (struct trnc_cmd_map){
		.cmd = harness_head(&h, &q, e[3], 0), .buffer = buffer, .size = 4096, .flags = 1, .map = 9,
	};
	harness_put(&h, &m, sizeof(m));
	harness_submit(&h, TRNC_REC_MAP);
	m = (struct trnc_cmd_map){ .cmd = harness_head(&h, &q, e[4], 0), .buffer = buffer, .map = 9 };
	harness_put(&h, &m, sizeof(m));
	harness_submit(&h, TRNC_REC_UNMAP);
	for (int i = 0; i < 5; i++)
		assert_int_equal(harness_wait(&h, e[i]), 0);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(h.page->refused, 0);
}

static void test_ring_wraps(void **state)
{
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT + (5 << 20), N * 4), e = harness_event(&h);
	int32_t *data = (void *)(h.window + BUFFERS_AT + (5 << 20));

	(void)state;
	for (int i = 0; i < 5000; i++)
		launch_add(buffer, 1, i == 4999 ? e : 0, 0, NULL);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(data[0], 5000);
	assert_int_equal(data[N - 1], 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launch_works_in_place),
		cmocka_unit_test(test_local_argument),
		cmocka_unit_test(test_stream_without_events),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_sub_buffer_and_destroy),
		cmocka_unit_test(test_profiling_times),
		cmocka_unit_test(test_markers_and_maps),
		cmocka_unit_test(test_ring_wraps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
