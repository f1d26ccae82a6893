/* SPDX-License-Identifier: MIT */
/* Records that are wrong: refused one by one, with the event and the queue's number told; or the context is lost. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "harness.h"

static const char source[] = "kernel void two(global int *a, int n) { a[0] = n; }";

static struct harness h;
static struct queue q;
static uint64_t program, kernel, buffer;

/* A new executor for each test: some end the context. */
static int setup(void **state)
{
	(void)state;
	harness_start(&h, 0);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	kernel = harness_kernel(&h, program, 0);
	harness_queue(&h, &q, 0);
	buffer = harness_buffer(&h, BUFFERS_AT, 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

/* The queue still works, and its number went past what was refused. */
static void check_alive(uint64_t refused)
{
	uint64_t e = harness_event(&h);

	harness_wait_refused(&h, refused);
	harness_fill(&h, &q, buffer, 16, 1, e, 0, NULL);
	assert_int_equal(harness_wait(&h, e), 0);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(h.page->lost, 0);
}

static void test_bad_ranges(void **state)
{
	static const struct {
		uint64_t offset, size;
	} ranges[] = {
		{ 4096, 1 }, { 0, 4097 }, { UINT64_MAX, 2 }, { 2, UINT64_MAX }, { UINT64_MAX / 2, UINT64_MAX / 2 + 8 },
	};
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t e = harness_event(&h);
		struct trnc_cmd_copy c = {
			.cmd = harness_head(&h, &q, e, 0), .src = buffer, .dst = buffer,
			.src_offset = ranges[i].offset, .size = ranges[i].size,
		};

		harness_put(&h, &c, sizeof(c));
		harness_submit(&h, TRNC_REC_COPY);
		assert_int_equal(harness_wait(&h, e), -30);
		assert_int_equal(h.page->last_refusal, -30);
		n++;
	}
	check_alive(n);
	/* The first failure stays the queue's. */
	assert_int_equal((int32_t)(uint32_t)harness_slot(&h, q.event)->state, -30);
}

static void test_bad_buffers(void **state)
{
	static const struct {
		uint64_t offset, size, flags;
	} bad[] = {
		{ BUFFERS_AT, 0, 1 },			 /* empty */
		{ BUFFERS_AT + BUFFERS_SIZE - 8, 16, 1 }, /* over the segment's end */
		{ 0, 4096, 1 },				 /* in a service segment */
		{ BUFFERS_AT - 4096, 8192, 1 },		 /* begins before it */
		{ WINDOW_SIZE, 4096, 1 },		 /* outside the window */
		{ UINT64_MAX - 100, 4096, 1 },
		{ BUFFERS_AT, 4096, 8 }, /* CL_MEM_USE_HOST_PTR is not the program's to say */
		{ BUFFERS_AT, 4096, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trnc_rec_buffer_create r = {
			.buffer = harness_handle(&h), .flags = bad[i].flags, .offset = bad[i].offset,
			.size = bad[i].size,
		};

		harness_put(&h, &r, sizeof(r));
		harness_submit(&h, TRNC_REC_BUFFER_CREATE);
	}
	check_alive(sizeof(bad) / sizeof(bad[0]));
}

static int32_t launch(uint32_t nr_args, uint16_t kind0, uint64_t size0, uint64_t data0, uint64_t size1)
{
	static const uint64_t value[8];
	uint64_t e = harness_event(&h);
	struct launch l = {
		.kernel = kernel, .global = 1, .event = e, .nr_args = nr_args,
		.args = { { kind0, size0, &data0 }, { TRNC_ARG_VALUE, size1, value } },
	};

	harness_launch(&h, &q, &l, false);
	return harness_wait(&h, e);
}

static void test_bad_arguments(void **state)
{
	(void)state;
	assert_int_equal(launch(0, 0, 0, 0, 0), -52);			       /* nothing set */
	assert_int_equal(launch(1, TRNC_ARG_BUFFER, 8, buffer, 0), -52);       /* the other one missing */
	assert_int_equal(launch(2, TRNC_ARG_VALUE, 8, 0x1234, 4), -50);	       /* a pointer by value */
	assert_int_equal(launch(2, TRNC_ARG_BUFFER, 8, kernel + 1000, 4), -38); /* no such buffer */
	assert_int_equal(launch(2, TRNC_ARG_BUFFER, 8, buffer, 8), -51);	       /* the host says no */
	assert_int_equal(launch(2, TRNC_ARG_LOCAL, 8, 0, 4), -50);
	assert_int_equal(launch(2, TRNC_ARG_IMAGE, 8, buffer, 4), -50);
	assert_int_equal(launch(2, TRNC_ARG_BUFFER, 8, buffer, 4), 0);
	check_alive(7);
}

static void test_destroyed_buffer_is_not_used(void **state)
{
	uint64_t other = harness_buffer(&h, BUFFERS_AT + 8192, 4096);
	struct trnc_rec_buffer_destroy d = { .buffer = other };

	(void)state;
	assert_int_equal(launch(2, TRNC_ARG_BUFFER, 8, other, 4), 0);
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	assert_int_equal(launch(0, 0, 0, 0, 0), -52);
	check_alive(1);
}

static void test_unknown_records(void **state)
{
	static const uint16_t types[] = { 0, 2, 15, 28, 63, 74, 0x7fff, 0xffff };
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct trnc_rec r = { 0 };
		uint8_t zeros[200] = { 0 };

		harness_put(&h, &r, sizeof(r));
		harness_submit(&h, types[i]);
		harness_put(&h, zeros, sizeof(zeros));
		harness_submit(&h, types[i]);
		n += 2;
	}
	check_alive(n);
}

static void test_flags_and_reserved(void **state)
{
	struct trnc_rec_object o = { .rec.flags = 1, .handle = TRNC_HANDLE(5, 1) };
	struct trnc_rec_kernel_create k = {
		.kernel = harness_handle(&h), .program = program, .index = 0, .reserved = 1,
	};

	(void)state;
	harness_put(&h, &o, sizeof(o));
	harness_submit(&h, TRNC_REC_USER_EVENT_CREATE);
	harness_put(&h, &k, sizeof(k));
	harness_submit(&h, TRNC_REC_KERNEL_CREATE);
	k.reserved = 0;
	k.index = 1;
	harness_put(&h, &k, sizeof(k));
	harness_submit(&h, TRNC_REC_KERNEL_CREATE);
	check_alive(3);
}

static void test_bad_waits_and_numbers(void **state)
{
	uint64_t none = TRNC_HANDLE(4000, 3), e = harness_event(&h), e2 = harness_event(&h);
	struct trnc_cmd cmd;

	(void)state;
	harness_marker(&h, &q, TRNC_REC_MARKER, e, 1, &none);
	assert_int_equal(harness_wait(&h, e), -57);
	/* A gap in the numbers. */
	cmd = harness_head(&h, &q, e2, 0);
	cmd.seq += 5;
	harness_put(&h, &cmd, sizeof(cmd));
	harness_submit(&h, TRNC_REC_MARKER);
	assert_int_equal(harness_wait(&h, e2), -30);
	q.seq--;
	/* The same event twice. */
	harness_marker(&h, &q, TRNC_REC_MARKER, e, 0, NULL);
	/* An event in a block that does not exist. */
	harness_marker(&h, &q, TRNC_REC_MARKER, TRNC_HANDLE(TRNC_EVENT_BLOCK_SLOTS, 1), 0, NULL);
	/* Nobody could end it. */
	harness_marker(&h, &q, TRNC_REC_CLIENT, 0, 0, NULL);
	check_alive(5);
}

static void test_header_that_ends_all(void **state)
{
	static const uint32_t lens[] = { 0, 4, 8, 12, 20, TRNC_REC_MAX + 8, UINT32_MAX - 7, 1u << 17 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint32_t *at = (void *)(h.ring + h.producer % RING_LEN);

		at[0] = TRNC_REC_MARKER;
		at[1] = lens[i];
		h.producer += 64;
		harness_publish(&h);
		harness_wait_lost(&h, TRNC_LOST_RECORD);
		/* The next one needs a new context. */
		teardown(state);
		setup(state);
	}
}

static void test_producer_backwards(void **state)
{
	(void)state;
	check_alive(0);
	h.producer -= 64;
	harness_publish(&h);
	harness_wait_lost(&h, TRNC_LOST_RECORD);
}

static void test_producer_too_far(void **state)
{
	(void)state;
	check_alive(0);
	h.producer += RING_LEN + 8;
	harness_publish(&h);
	harness_wait_lost(&h, TRNC_LOST_RECORD);
}

static void test_control_seq_never_comes(void **state)
{
	struct trnc_rec_object o = { .rec.control_seq = 1000, .handle = harness_event(&h) };
	uint64_t start = base_clock_ns();

	(void)state;
	harness_put(&h, &o, sizeof(o));
	harness_submit(&h, TRNC_REC_USER_EVENT_CREATE);
	harness_wait_lost(&h, TRNC_LOST_RECORD);
	assert_true(base_clock_ns() - start > 900000000ull);
}

static void test_segment_goes_after_its_users(void **state)
{
	struct trnc_rec_buffer_destroy d;
	struct trnc_segment_destroy u = { .offset = 512ull << 20, .context = 1 };
	struct trnc_rec_buffer_create r;
	uint64_t id, other, event = harness_event(&h);

	(void)state;
	harness_map_segment(&h, u.offset, 1 << 20, TRNC_SEGMENT_BUFFER);
	other = harness_buffer(&h, u.offset, 4096);
	d = (struct trnc_rec_buffer_destroy){ .buffer = other, .event = event };
	u.after_pos = h.producer + sizeof(d);
	id = harness_send(&h, TRNC_EXEC_SEGMENT_UNMAP, &u, sizeof(u), -1);
	usleep(20000);
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	assert_int_equal(harness_recv(&h, id, 0, NULL, 0, NULL), 0);
	assert_int_equal(harness_wait(&h, event), 0);
	/* Nothing of it can be used now. */
	r = (struct trnc_rec_buffer_create){
		.buffer = harness_handle(&h), .flags = 1, .offset = u.offset, .size = 4096,
	};
	harness_put(&h, &r, sizeof(r));
	harness_submit(&h, TRNC_REC_BUFFER_CREATE);
	check_alive(1);
	harness_call(&h, TRNC_EXEC_SEGMENT_UNMAP, &u, sizeof(u), 2 /* ENOENT */, NULL, 0);
}

static void test_bad_messages(void **state)
{
	struct trnc_context_create c = { .context = 1, .channel = 0, .ring_len = RING_LEN };
	struct trnc_event_block_add b = { .context = 1, .block = 2, .offset = 5 << 20 };
	struct trnc_output_set o = { .offset = 5 << 20, .data_len = 5000 };
	struct trnc_program_build p = {
		.context = 1, .program = program, .request = WINDOW_SIZE - 8, .request_len = 4096,
	};
	struct trnc_program_query query = { .context = 1, .what = 9, .program = program };

	(void)state;
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 22, NULL, 0); /* in use */
	c.context = 65;
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 22, NULL, 0);
	c = (struct trnc_context_create){ .context = 2, .channel = 0, .ring_len = RING_LEN - 8 };
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 22, NULL, 0);
	c = (struct trnc_context_create){ .context = 2, .channel = BUFFERS_AT, .ring_len = RING_LEN };
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 22, NULL, 0);
	c = (struct trnc_context_create){ .context = 2, .ring_len = RING_LEN, .control_seq = 99 };
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c), 71 /* EPROTO */, NULL, 0);
	harness_call(&h, TRNC_MSG_CONTEXT_CREATE, &c, sizeof(c) - 8, 22, NULL, 0);
	harness_call(&h, TRNC_MSG_EVENT_BLOCK_ADD, &b, sizeof(b), 22, NULL, 0);
	harness_call(&h, TRNC_MSG_OUTPUT_SET, &o, sizeof(o), 22, NULL, 0);
	harness_call(&h, TRNC_MSG_PROGRAM_BUILD, &p, sizeof(p), 22, NULL, 0);
	p.request = 0;
	p.request_len = 0;
	harness_call(&h, TRNC_MSG_PROGRAM_BUILD, &p, sizeof(p), 22, NULL, 0);
	p.request_len = UINT64_MAX;
	harness_call(&h, TRNC_MSG_PROGRAM_BUILD, &p, sizeof(p), 22, NULL, 0);
	p.request = BLOBS_AT;
	p.request_len = 24;
	memset(h.window + BLOBS_AT, 0xff, 24); /* no blob */
	harness_call(&h, TRNC_MSG_PROGRAM_BUILD, &p, sizeof(p), 22, NULL, 0);
	harness_call(&h, TRNC_MSG_PROGRAM_QUERY, &query, sizeof(query), 22, NULL, 0);
	query.what = TRNC_QUERY_BINARY;
	query.program = TRNC_HANDLE(77, 7);
	harness_call(&h, TRNC_MSG_PROGRAM_QUERY, &query, sizeof(query), 2, NULL, 0);
	harness_call(&h, 9999, NULL, 0, 95 /* EOPNOTSUPP */, NULL, 0);
	check_alive(0);
}

/* The ring is changed while it is read: anything may be refused, or the context lost; the process lives. */
static void test_scribble(void **state)
{
	uint32_t seed = 12345;
	uint64_t id;

	(void)state;
	for (int round = 0; round < 20000 && !h.page->lost; round++) {
		harness_fill(&h, &q, buffer, 64, 3, 0, 0, NULL);
		for (int i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			/* Not the header: that would only end it at once. */
			((volatile uint8_t *)h.ring)[(h.producer - sizeof(struct trnc_cmd_fill) + 16 + (seed >> 8) % 200) %
						     RING_LEN] = (uint8_t)seed;
		}
	}
	id = harness_send(&h, 9999, NULL, 0, -1);
	harness_recv(&h, id, 95, NULL, 0, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_bad_ranges),	 T(test_bad_buffers),	     T(test_bad_arguments),
		T(test_destroyed_buffer_is_not_used),		     T(test_unknown_records),
		T(test_flags_and_reserved), T(test_bad_waits_and_numbers),
		T(test_header_that_ends_all), T(test_producer_backwards), T(test_producer_too_far),
		T(test_control_seq_never_comes), T(test_segment_goes_after_its_users),
		T(test_bad_messages),	 T(test_scribble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
