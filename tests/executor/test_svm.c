/* SPDX-License-Identifier: MIT */
/* A window at one address on both sides: pointers as arguments and in memory, and which of them are refused. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define WINDOW_AT 0x300000000000ull
#define CL_INVALID_VALUE (-30)
#define CL_INVALID_KERNEL (-48)
#define CL_INVALID_ARG_VALUE (-50)
#define CL_INVALID_ARG_SIZE (-51)
#define CL_INVALID_OPERATION (-59)
#define CL_KERNEL_EXEC_INFO_SVM_PTRS 0x11b6
#define CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM 0x11b7

static const char source[] =
	"typedef struct node { global struct node *next; int value; } node;\n"
	"kernel void sum(global node *n, global int *out) { int s = 0; for (; n; n = n->next) s += n->value; *out = s; }\n"
	"kernel void set(global int *p, int v) { if (p) *p = v; }\n";

static struct harness h;
static struct queue q;
static uint64_t sum, set;

static void start(uint64_t window_base, uint32_t flags)
{
	uint64_t program;

	harness_start_at(&h, flags, window_base);
	program = harness_handle(&h);
	assert_int_equal(harness_find_u32(&h, harness_build(&h, program, source, ""), TRNC_TAG_STATUS), 0);
	sum = harness_kernel(&h, program, 0);
	set = harness_kernel(&h, program, 1);
	harness_queue(&h, &q, 0);
}

static int setup(void **state)
{
	(void)state;
	start(WINDOW_AT, 0);
	return 0;
}

static int setup_elsewhere(void **state)
{
	(void)state;
	start(0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

static int32_t launch_set(uint64_t address, int32_t value, uint64_t size, uint32_t nr_waits, const uint64_t *waits,
			  uint64_t *ret_event)
{
	uint64_t e = harness_event(&h);
	struct launch l = {
		.kernel = set, .global = 1, .event = e, .nr_waits = nr_waits, .waits = waits, .nr_args = 2,
		.args = { { TRNC_ARG_SVM, size, &address }, { TRNC_ARG_VALUE, 4, &value } },
	};

	harness_launch(&h, &q, &l, false);
	if (ret_event) {
		*ret_event = e;
		return 0;
	}
	return harness_wait(&h, e);
}

static void test_pointers(void **state)
{
	struct node {
		uint64_t next;
		int32_t value, pad;
	} *nodes = (void *)(h.window + BUFFERS_AT);
	int32_t *out = (void *)(h.window + BUFFERS_AT + (1 << 20));
	uint64_t first = (uintptr_t)nodes, to = (uintptr_t)out, e = harness_event(&h);
	struct launch l = {
		.kernel = sum, .global = 1, .event = e, .nr_args = 2,
		.args = { { TRNC_ARG_SVM, 8, &first }, { TRNC_ARG_SVM, 8, &to } },
	};

	(void)state;
	assert_true(h.ready.flags & TRNC_SESSION_SVM);
	assert_ptr_equal(h.window, WINDOW_AT);
	for (int i = 0; i < 100; i++) {
		nodes[i].next = i < 99 ? (uintptr_t)&nodes[i + 1] : 0;
		nodes[i].value = i;
	}
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(*out, 4950);
	assert_int_equal(launch_set((uintptr_t)&nodes[7].value, -3, 8, 0, NULL, NULL), 0);
	assert_int_equal(nodes[7].value, -3);
	assert_int_equal(launch_set(0, 1, 8, 0, NULL, NULL), 0);
	assert_int_equal(h.page->refused, 0);
}

/* Buffers and pointers in turn, also behind a gate: each launch has its own. */
static void test_kinds_in_turn(void **state)
{
	int32_t *p = (void *)(h.window + BUFFERS_AT);
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT + (2 << 20), 4096), gate = harness_event(&h), e[3];
	int32_t four = 4;
	struct launch l = {
		.kernel = set, .global = 1, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_VALUE, 4, &four } },
	};

	(void)state;
	p[0] = p[1] = p[1 << 19] = 0;
	harness_user_event(&h, gate);
	launch_set((uintptr_t)&p[0], 1, 8, 1, &gate, &e[0]);
	e[1] = l.event = harness_event(&h);
	harness_launch(&h, &q, &l, false);
	launch_set((uintptr_t)&p[1], 2, 8, 0, NULL, &e[2]);
	assert_int_equal(p[0], 0);
	harness_set_event(&h, gate, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(harness_wait(&h, e[i]), 0);
	assert_int_equal(p[0], 1);
	assert_int_equal(p[1], 2);
	assert_int_equal(p[1 << 19], 4);
}

static void test_refused_pointers(void **state)
{
	static const uint64_t outside[] = { 1, WINDOW_AT - 1, WINDOW_AT + WINDOW_SIZE, UINT64_MAX, 0x7fff00000000 };
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, 4096), e = harness_event(&h), address = WINDOW_AT;
	struct launch wrong = {
		.kernel = set, .global = 1, .event = e, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &buffer }, { TRNC_ARG_SVM, 8, &address } }, /* a value is wanted */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_int_equal(launch_set(outside[i], 1, 8, 0, NULL, NULL), CL_INVALID_ARG_VALUE);
	assert_int_equal(launch_set(WINDOW_AT + BUFFERS_AT, 1, 4, 0, NULL, NULL), CL_INVALID_ARG_SIZE);
	harness_launch(&h, &q, &wrong, false);
	assert_int_equal(harness_wait(&h, e), CL_INVALID_ARG_VALUE);
	assert_int_equal(launch_set(WINDOW_AT + BUFFERS_AT, 1, 8, 0, NULL, NULL), 0);
}

static void exec_info(uint64_t kernel, uint32_t param, uint32_t len, const void *value, size_t value_len)
{
	struct trnc_rec_kernel_exec_info r = { .kernel = kernel, .param = param, .len = len };

	harness_put(&h, &r, sizeof(r));
	harness_put(&h, value, value_len);
	harness_submit(&h, TRNC_REC_KERNEL_EXEC_INFO);
}

static void check_refusal(uint64_t *nr, int32_t code)
{
	harness_wait_refused(&h, ++*nr);
	assert_int_equal(h.page->last_refusal, code);
}

static void test_exec_info(void **state)
{
	const uint64_t in[2] = { WINDOW_AT + BUFFERS_AT, 0 }, out[2] = { WINDOW_AT, 4096 }, yes = 1, dirty = 1ull << 40;
	uint64_t nr = 0;

	(void)state;
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 16, in, 16);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, 4, &yes, 8);
	assert_int_equal(launch_set(WINDOW_AT + BUFFERS_AT, 1, 8, 0, NULL, NULL), 0);
	assert_int_equal(h.page->refused, 0);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 16, out, 16);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 12, in, 16);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 24, in, 16);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, in, 0);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, UINT32_MAX, in, 16);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, 8, &yes, 8);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, 4, &dirty, 8);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(set, 0x1234, 4, &yes, 8);
	check_refusal(&nr, CL_INVALID_VALUE);
	exec_info(TRNC_HANDLE(99, 1), CL_KERNEL_EXEC_INFO_SVM_PTRS, 16, in, 16);
	check_refusal(&nr, CL_INVALID_KERNEL);
	exec_info(0, CL_KERNEL_EXEC_INFO_SVM_PTRS, 16, in, 16);
	check_refusal(&nr, CL_INVALID_KERNEL);
}

/* Where windows differ an address means nothing. */
static void test_not_shared(void **state)
{
	const uint64_t in[2] = { 0, 0 };
	uint64_t nr = 1;

	(void)state;
	assert_false(h.ready.flags & TRNC_SESSION_SVM);
	assert_int_equal(launch_set((uintptr_t)h.window + BUFFERS_AT, 1, 8, 0, NULL, NULL), CL_INVALID_OPERATION);
	exec_info(set, CL_KERNEL_EXEC_INFO_SVM_PTRS, 16, in, 16);
	check_refusal(&nr, CL_INVALID_OPERATION);
}

/* A host that has buffers elsewhere shares no memory, wherever the window stands. */
static void test_not_coherent(void **state)
{
	(void)state;
	harness_spawn(&h, 0, TRNC_EXEC_FLAG_NOT_COHERENT, WINDOW_AT);
	assert_false(h.ready.flags & TRNC_SESSION_SVM);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_in_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exec_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_shared, setup_elsewhere, teardown),
		cmocka_unit_test(test_not_coherent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
