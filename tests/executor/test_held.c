/* SPDX-License-Identifier: MIT */
/* Commands that wait for what the host does not know: user events and work of the program itself. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "harness.h"

#define OUT_OF_ORDER 1u
#define WAIT_FAILED (-14)

static const char source[] = "kernel void add(global int *a, int n) { a[0] += n; }\n"
			     "kernel void store(global int *a, int n) { a[0] = n; }\n";

static struct harness h;
static uint64_t program, add, store;
static uint64_t next_buffer = BUFFERS_AT;

static int setup(void **state)
{
	(void)state;
	harness_start(&h, 0);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	add = harness_kernel(&h, program, 0);
	store = harness_kernel(&h, program, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

static volatile int32_t *new_buffer(uint64_t *ret)
{
	uint64_t at = next_buffer;

	next_buffer += 4096;
	*ret = harness_buffer(&h, at, 4096);
	return (volatile int32_t *)(void *)(h.window + at);
}

static void launch(struct queue *q, uint64_t kernel, uint64_t buffer, int32_t n, uint64_t event, uint32_t nr_waits,
		   const uint64_t *waits)
{
	struct launch l = {
		.kernel = kernel, .global = 1, .event = event, .nr_waits = nr_waits, .waits = waits, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_VALUE, 4, &n } },
	};

	harness_launch(&h, q, &l, false);
}

static uint64_t user_event(void)
{
	uint64_t e = harness_event(&h);

	harness_user_event(&h, e);
	return e;
}

/* Long enough for a command that is not held to run. */
static void give_time(void)
{
	usleep(50000);
}

static void test_user_event_holds(void **state)
{
	uint64_t buffer, u = user_event(), e1 = harness_event(&h), e2 = harness_event(&h);
	volatile int32_t *data = new_buffer(&buffer);
	struct queue q;

	(void)state;
	harness_queue(&h, &q, 0);
	launch(&q, store, buffer, 1, e1, 1, &u);
	launch(&q, add, buffer, 10, e2, 0, NULL); /* behind it, in order */
	harness_wait_read(&h);
	give_time();
	assert_int_equal(harness_status(&h, u), 2);
	assert_int_equal(harness_status(&h, e1), 3);
	assert_int_equal(harness_status(&h, e2), 3);
	assert_int_equal(data[0], 0);
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, e2), 0);
	assert_int_equal(harness_status(&h, e1), 0);
	assert_int_equal(data[0], 11);
	harness_wait_seq(&h, q.event, q.seq);
}

static void test_others_go_on(void **state)
{
	uint64_t a, b, u = user_event(), e1 = harness_event(&h), e2 = harness_event(&h), e3 = harness_event(&h);
	volatile int32_t *data = new_buffer(&a), *other = new_buffer(&b);
	struct queue q, p;

	(void)state;
	harness_queue(&h, &q, OUT_OF_ORDER);
	harness_queue(&h, &p, 0);
	launch(&q, store, a, 1, e1, 1, &u);
	launch(&q, store, b, 2, e2, 0, NULL); /* out of order: not behind it */
	assert_int_equal(harness_wait(&h, e2), 0);
	assert_int_equal(other[0], 2);
	launch(&p, add, b, 3, e3, 0, NULL);
	assert_int_equal(harness_wait(&h, e3), 0);
	assert_int_equal(other[0], 5);
	assert_int_equal(data[0], 0);
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, e1), 0);
	harness_wait_seq(&h, q.event, q.seq);
}

static void test_failure_reaches_dependents(void **state)
{
	uint64_t buffer, u = user_event(), e[4];
	volatile int32_t *data = new_buffer(&buffer);
	struct queue q, p;

	(void)state;
	for (int i = 0; i < 4; i++)
		e[i] = harness_event(&h);
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, 0);
	launch(&q, store, buffer, 1, e[0], 1, &u);
	launch(&q, add, buffer, 1, e[1], 0, NULL);
	launch(&p, add, buffer, 1, e[2], 1, &e[0]);
	harness_set_event(&h, u, -5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(harness_wait(&h, e[i]), WAIT_FAILED);
	assert_int_equal(harness_status(&h, u), -5);
	/* Later commands are not behind it any more. */
	launch(&q, store, buffer, 7, e[3], 0, NULL);
	assert_int_equal(harness_wait(&h, e[3]), 0);
	assert_int_equal(data[0], 7);
	harness_wait_seq(&h, q.event, q.seq);
	harness_wait_seq(&h, p.event, p.seq);
	assert_int_equal(h.page->refused, 0);
}

static void test_wait_for_failed_event(void **state)
{
	uint64_t buffer, u = user_event(), e = harness_event(&h);
	struct queue q;

	(void)state;
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	harness_set_event(&h, u, -1);
	launch(&q, store, buffer, 1, e, 1, &u);
	assert_int_equal(harness_wait(&h, e), WAIT_FAILED);
	harness_wait_seq(&h, q.event, q.seq);
}

/* Arguments are those of the enqueue, not of the release. */
static void test_held_arguments(void **state)
{
	uint64_t a, b, c, u = user_event(), e1 = harness_event(&h), e2 = harness_event(&h), e3 = harness_event(&h);
	volatile int32_t *first = new_buffer(&a), *second = new_buffer(&b), *third = new_buffer(&c);
	struct launch l = { .kernel = store, .global = 1, .event = e3 };
	struct trnc_rec_buffer_destroy d = { .buffer = a };
	struct queue q, p;

	(void)state;
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, 0);
	launch(&q, store, a, 1, e1, 1, &u);
	launch(&p, store, b, 2, e2, 0, NULL);
	assert_int_equal(harness_wait(&h, e2), 0);
	/* The buffer's handle is gone, the command is not. */
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_BUFFER_DESTROY);
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, e1), 0);
	assert_int_equal(first[0], 1);
	assert_int_equal(second[0], 2);
	/* And the direct state is the newest again: no argument is sent. */
	second[0] = 0;
	harness_launch(&h, &p, &l, false);
	assert_int_equal(harness_wait(&h, e3), 0);
	assert_int_equal(first[0], 1);
	assert_int_equal(second[0], 2);
	(void)third;
	assert_int_equal(h.page->refused, 0);
}

static void end_client(uint64_t event, int32_t status, uint64_t start, uint64_t end)
{
	struct trnc_rec_user_event_set s = { .event = event, .status = status, .start_ns = start, .end_ns = end };

	harness_put(&h, &s, sizeof(s));
	harness_submit(&h, TRNC_REC_USER_EVENT_SET);
}

static void wait_running(uint64_t event)
{
	uint64_t start = base_clock_ns();

	while (harness_status(&h, event) > 1) {
		assert_true(base_clock_ns() - start < TIMEOUT_NS);
		usleep(50);
	}
}

static void test_client_command(void **state)
{
	uint64_t buffer, c = harness_event(&h), e1 = harness_event(&h), e2 = harness_event(&h), u = user_event();
	volatile int32_t *data = new_buffer(&buffer);
	struct queue q;

	(void)state;
	harness_queue(&h, &q, 2 /* profiling */);
	launch(&q, store, buffer, 1, e1, 1, &u);
	harness_marker(&h, &q, TRNC_REC_CLIENT, c, 0, NULL);
	launch(&q, add, buffer, 10, e2, 0, NULL);
	give_time();
	assert_int_equal(harness_status(&h, c), 3);
	harness_set_event(&h, u, 0);
	wait_running(c);
	assert_int_equal(harness_status(&h, e1), 0);
	give_time();
	assert_int_equal(harness_status(&h, e2), 3);
	assert_int_equal(data[0], 1);
	data[0] = 100;
	end_client(c, 0, 12345, 23456);
	assert_int_equal(harness_wait(&h, e2), 0);
	assert_int_equal(harness_status(&h, c), 0);
	assert_int_equal(harness_slot(&h, c)->start_ns, 12345);
	assert_int_equal(harness_slot(&h, c)->end_ns, 23456);
	assert_int_equal(data[0], 110);
	harness_wait_seq(&h, q.event, q.seq);
}

static void test_client_out_of_order(void **state)
{
	uint64_t buffer, c = harness_event(&h), e1 = harness_event(&h), e2 = harness_event(&h), e3 = harness_event(&h);
	volatile int32_t *data = new_buffer(&buffer);
	struct queue q;

	(void)state;
	harness_queue(&h, &q, OUT_OF_ORDER);
	launch(&q, store, buffer, 1, e1, 0, NULL);
	harness_marker(&h, &q, TRNC_REC_CLIENT, c, 1, &e1);
	harness_marker(&h, &q, TRNC_REC_BARRIER, 0, 0, NULL);
	launch(&q, add, buffer, 2, e2, 0, NULL);
	harness_marker(&h, &q, TRNC_REC_MARKER, e3, 0, NULL);
	wait_running(c);
	give_time();
	assert_int_equal(harness_status(&h, e2), 3);
	data[0] = 50;
	end_client(c, 0, 0, 0);
	assert_int_equal(harness_wait(&h, e3), 0);
	assert_int_equal(harness_status(&h, e2), 0);
	assert_int_equal(data[0], 52);
	harness_wait_seq(&h, q.event, q.seq);
}

static void test_client_fails(void **state)
{
	uint64_t buffer, c1 = harness_event(&h), c2 = harness_event(&h), e = harness_event(&h), u = user_event();
	struct queue q, p;

	(void)state;
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	harness_queue(&h, &p, OUT_OF_ORDER);
	harness_marker(&h, &q, TRNC_REC_CLIENT, c1, 0, NULL);
	launch(&q, store, buffer, 1, e, 0, NULL);
	harness_marker(&h, &p, TRNC_REC_CLIENT, c2, 2, (uint64_t[]){ c1, u });
	wait_running(c1);
	end_client(c1, -6, 0, 0);
	assert_int_equal(harness_wait(&h, e), WAIT_FAILED);
	assert_int_equal(harness_wait(&h, c1), -6);
	/* The other one waits for u, too. */
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, c2), WAIT_FAILED);
	harness_wait_seq(&h, q.event, q.seq);
	harness_wait_seq(&h, p.event, p.seq);
}

/* A is waited for, then the program sets what B waits for. */
static void test_publishes_when_true(void **state)
{
	uint64_t buffer, u = user_event(), a = harness_event(&h), b = harness_event(&h);
	struct queue q;

	(void)state;
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	launch(&q, store, buffer, 1, a, 0, NULL);
	launch(&q, store, buffer, 2, b, 1, &u);
	assert_int_equal(harness_wait(&h, a), 0);
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, b), 0);
}

static void test_many_held(void **state)
{
	const uint32_t nr = 300000;
	uint64_t buffer, u = user_event(), last = harness_event(&h), start;
	volatile int32_t *data = new_buffer(&buffer);
	int32_t one = 1;
	struct launch l = {
		.kernel = add, .global = 1, .local = 1, .nr_waits = 1, .waits = &u, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_VALUE, 4, &one } },
	};
	struct queue q;

	(void)state;
	harness_queue(&h, &q, 0);
	start = base_clock_ns();
	for (uint32_t i = 0; i < nr; i++) {
		l.event = i == nr - 1 ? last : 0;
		harness_launch(&h, &q, &l, true);
		if (i % 64 == 0)
			harness_publish(&h);
		l.nr_args = 0;
		l.nr_waits = i % 2;
	}
	harness_publish(&h);
	harness_wait_read(&h);
	print_message("%u commands held in %.0f ms\n", nr, (double)(base_clock_ns() - start) / 1e6);
	assert_int_equal(data[0], 0);
	start = base_clock_ns();
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, last), 0);
	print_message("and run in %.0f ms\n", (double)(base_clock_ns() - start) / 1e6);
	assert_int_equal(data[0], (int32_t)nr);
	harness_wait_seq(&h, q.event, q.seq);
	assert_int_equal(h.page->refused, 0);
}

static void test_queue_goes_while_held(void **state)
{
	uint64_t buffer, u = user_event(), e = harness_event(&h);
	volatile int32_t *data = new_buffer(&buffer);
	struct trnc_rec_object d;
	struct queue q;

	(void)state;
	harness_queue(&h, &q, 0);
	launch(&q, store, buffer, 3, e, 1, &u);
	d = (struct trnc_rec_object){ .handle = q.handle };
	harness_put(&h, &d, sizeof(d));
	harness_submit(&h, TRNC_REC_QUEUE_DESTROY);
	harness_set_event(&h, u, 0);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(data[0], 3);
}

static void test_context_goes_while_held(void **state)
{
	const struct trnc_context_destroy d = { .context = 1 };
	uint64_t buffer, u = user_event(), e = harness_event(&h);
	struct queue q;

	(void)state;
	new_buffer(&buffer);
	harness_queue(&h, &q, 0);
	launch(&q, store, buffer, 3, e, 1, &u);
	/* What has not been read when the context goes is nobody's. */
	harness_wait_read(&h);
	harness_call(&h, TRNC_MSG_CONTEXT_DESTROY, &d, sizeof(d), 0, NULL, 0);
	assert_int_equal(harness_status(&h, e), -34);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_event_holds),
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_failure_reaches_dependents),
		cmocka_unit_test(test_wait_for_failed_event),
		cmocka_unit_test(test_held_arguments),
		cmocka_unit_test(test_client_command),
		cmocka_unit_test(test_client_out_of_order),
		cmocka_unit_test(test_client_fails),
		cmocka_unit_test(test_publishes_when_true),
		cmocka_unit_test(test_many_held),
		cmocka_unit_test(test_queue_goes_while_held),
		cmocka_unit_test(test_context_goes_while_held), /* last: there is no context after it */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
