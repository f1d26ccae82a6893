/* SPDX-License-Identifier: MIT */
/*
 * Commands on shared virtual memory: copies, fills, maps, frees and migrations, their errors, events and order.
 * What must be equal natively and virtually goes to standard output.
 */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIZE (1u << 20)

static uint8_t *a, *b;

static void show(const char *what, cl_int err)
{
	printf("%s: %s\n", what, cl_err_name(err));
}

static void setup(struct cl_env *env)
{
	cl_device_svm_capabilities caps =
		GET_INFO(cl_device_svm_capabilities, clGetDeviceInfo, env->device, CL_DEVICE_SVM_CAPABILITIES);

	if (!(caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER))
		cl_test_skip("no shared virtual memory");
	a = clSVMAlloc(env->ctx, 0, SIZE, 0);
	b = clSVMAlloc(env->ctx, 0, SIZE, 0);
	CHECK(a && b);
}

/* A new event that is not complete until the program says so. */
static cl_event new_gate(struct cl_env *env)
{
	cl_int err;
	cl_event gate = clCreateUserEvent(env->ctx, &err);

	CHECK_OK(err);
	return gate;
}

static void show_event(const char *what, cl_event event)
{
	cl_command_type type = GET_INFO(cl_command_type, clGetEventInfo, event, CL_EVENT_COMMAND_TYPE);
	cl_ulong start, end;

	printf("%s: type %#x", what, type);
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_OK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL));
	CHECK_OK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL));
	printf(", status %d, times in order: %d\n",
	       GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS), start <= end);
	CHECK_OK(clReleaseEvent(event));
}

static void memcpy_errors(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	cl_event none = NULL, event;

	show("no queue", clEnqueueSVMMemcpy(NULL, CL_TRUE, a, b, 16, 0, NULL, NULL));
	show("no source", clEnqueueSVMMemcpy(q, CL_TRUE, a, NULL, 16, 0, NULL, NULL));
	show("no destination", clEnqueueSVMMemcpy(q, CL_TRUE, NULL, b, 16, 0, NULL, NULL));
	show("no bytes", clEnqueueSVMMemcpy(q, CL_TRUE, a, b, 0, 0, NULL, NULL));
	show("list without events", clEnqueueSVMMemcpy(q, CL_TRUE, a, b, 16, 1, NULL, NULL));
	show("events without number", clEnqueueSVMMemcpy(q, CL_TRUE, a, b, 16, 0, &none, NULL));
	show("no event in the list", clEnqueueSVMMemcpy(q, CL_TRUE, a, b, 16, 1, &none, NULL));
	show("overlap upwards", clEnqueueSVMMemcpy(q, CL_TRUE, a + 8, a, 16, 0, NULL, NULL));
	show("overlap downwards", clEnqueueSVMMemcpy(q, CL_TRUE, a, a + 8, 16, 0, NULL, NULL));
	show("the same place", clEnqueueSVMMemcpy(q, CL_TRUE, a, a, 16, 0, NULL, NULL));
	show("close together", clEnqueueSVMMemcpy(q, CL_TRUE, a + 16, a, 16, 0, NULL, NULL));
	show("overlap and no event", clEnqueueSVMMemcpy(q, CL_TRUE, a, a, 16, 1, &none, NULL));
	show("with an event", clEnqueueSVMMemcpy(q, CL_TRUE, a, b, 16, 0, NULL, &event));
	show_event("copy", event);
}

static void memcpy_all_ways(struct cl_env *env)
{
	static const size_t sizes[] = { 1, 100, 4096, 300000, SIZE };
	uint8_t *host = malloc(SIZE), *back = malloc(SIZE);
	unsigned int wrong = 0;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		for (int blocking = 0; blocking < 2; blocking++) {
			size_t n = sizes[i];

			cl_pattern(host, n, (unsigned int)i);
			memset(a, 0, SIZE);
			memset(b, 0, SIZE);
			memset(back, 0, SIZE);
			CHECK_OK(clEnqueueSVMMemcpy(env->queue, (cl_bool)blocking, a, host, n, 0, NULL, NULL));
			CHECK_OK(clEnqueueSVMMemcpy(env->queue, (cl_bool)blocking, b, a, n, 0, NULL, NULL));
			CHECK_OK(clEnqueueSVMMemcpy(env->queue, (cl_bool)blocking, back, b, n, 0, NULL, NULL));
			if (!blocking)
				CHECK_OK(clFinish(env->queue));
			wrong += memcmp(host, back, n) != 0 || (n < SIZE && (b[n] || a[n] || back[n]));
		}
	}
	/* between two pieces of the program's own memory */
	memset(back, 0, SIZE);
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_FALSE, back, host, SIZE, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	wrong += memcmp(host, back, SIZE) != 0;
	printf("wrong copies: %u\n", wrong);
	free(host);
	free(back);
}

/* Nothing moves before the gate opens; then in the order of the queue. */
static void memcpy_behind_a_gate(struct cl_env *env)
{
	uint8_t *host = malloc(SIZE), *back = calloc(1, SIZE), fives = 5;
	cl_event gate = new_gate(env), events[4];

	cl_pattern(host, SIZE, 3);
	memset(a, 1, SIZE);
	memset(b, 2, SIZE);
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_FALSE, a, host, SIZE, 1, &gate, &events[0]));
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_FALSE, b, a, SIZE, 0, NULL, &events[1]));
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_FALSE, back, b, SIZE, 0, NULL, &events[2]));
	CHECK_OK(clEnqueueSVMMemFill(env->queue, a, &fives, 1, SIZE, 0, NULL, &events[3]));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(20);
	printf("before: %d %d %d\n", cl_all_bytes(a, SIZE, 1), cl_all_bytes(b, SIZE, 2), cl_all_bytes(back, SIZE, 0));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(4, events));
	printf("after: %d %d %d\n", memcmp(host, b, SIZE), memcmp(host, back, SIZE), cl_all_bytes(a, SIZE, 5));
	for (int i = 0; i < 4; i++)
		CHECK_OK(clReleaseEvent(events[i]));
	CHECK_OK(clReleaseEvent(gate));
	free(host);
	free(back);
}

static void fill_errors(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	uint8_t pattern[256] = { 1, 2, 3 };
	cl_event none = NULL, event;

	show("no queue", clEnqueueSVMMemFill(NULL, a, pattern, 1, 16, 0, NULL, NULL));
	show("no pointer", clEnqueueSVMMemFill(q, NULL, pattern, 1, 16, 0, NULL, NULL));
	show("pattern of 0", clEnqueueSVMMemFill(q, a, pattern, 0, 16, 0, NULL, NULL));
	show("pattern of 3", clEnqueueSVMMemFill(q, a, pattern, 3, 18, 0, NULL, NULL));
	show("pattern of 256", clEnqueueSVMMemFill(q, a, pattern, 256, 512, 0, NULL, NULL));
	show("pattern of 128", clEnqueueSVMMemFill(q, a, pattern, 128, 512, 0, NULL, NULL));
	show("no bytes", clEnqueueSVMMemFill(q, a, pattern, 1, 0, 0, NULL, NULL));
	show("unaligned", clEnqueueSVMMemFill(q, a + 2, pattern, 4, 16, 0, NULL, NULL));
	show("no multiple", clEnqueueSVMMemFill(q, a, pattern, 4, 18, 0, NULL, NULL));
	show("list without events", clEnqueueSVMMemFill(q, a, pattern, 4, 16, 1, NULL, NULL));
	show("no event in the list", clEnqueueSVMMemFill(q, a, pattern, 4, 16, 1, &none, NULL));
	show("with an event", clEnqueueSVMMemFill(q, a, pattern, 4, 16, 0, NULL, &event));
	show_event("fill", event);
	CHECK_OK(clFinish(q));
}

static bool is_filled(const uint8_t *p, size_t size, const uint8_t *pattern, size_t pattern_size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != pattern[i % pattern_size])
			return false;
	return true;
}

static void fill_all_ways(struct cl_env *env)
{
	uint8_t pattern[128], *host = aligned_alloc(128, SIZE);
	unsigned int wrong = 0;

	cl_pattern(pattern, sizeof(pattern), 9);
	for (size_t n = 1; n <= 128; n *= 2) {
		memset(a, 0, SIZE);
		memset(host, 0, SIZE);
		CHECK_OK(clEnqueueSVMMemFill(env->queue, a + 128, pattern, n, 1024, 0, NULL, NULL));
		CHECK_OK(clEnqueueSVMMemFill(env->queue, b, pattern, n, SIZE, 0, NULL, NULL));
		CHECK_OK(clEnqueueSVMMemFill(env->queue, host, pattern, n, SIZE - 128, 0, NULL, NULL));
		CHECK_OK(clFinish(env->queue));
		wrong += !is_filled(a + 128, 1024, pattern, n) || !cl_all_bytes(a, 128, 0) ||
			 !cl_all_bytes(a + 1152, 128, 0);
		wrong += !is_filled(b, SIZE, pattern, n);
		wrong += !is_filled(host, SIZE - 128, pattern, n) || !cl_all_bytes(host + SIZE - 128, 128, 0);
	}
	printf("wrong fills: %u\n", wrong);
	free(host);
}

static void maps(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	cl_event none = NULL, event, gate = new_gate(env);

	show("no queue", clEnqueueSVMMap(NULL, CL_TRUE, CL_MAP_READ, a, 16, 0, NULL, NULL));
	show("no pointer", clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, NULL, 16, 0, NULL, NULL));
	show("no bytes", clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, a, 0, 0, NULL, NULL));
	show("no event in the list", clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, a, 16, 1, &none, NULL));
	show("unknown flags", clEnqueueSVMMap(q, CL_TRUE, 1 << 20, a, 16, 0, NULL, NULL));
	show("elsewhere", clEnqueueSVMMap(q, CL_TRUE, CL_MAP_READ, &event, 16, 0, NULL, NULL));
	show("blocking", clEnqueueSVMMap(q, CL_TRUE, CL_MAP_WRITE, a, 16, 0, NULL, &event));
	show_event("map", event);
	show("behind a gate", clEnqueueSVMMap(q, CL_FALSE, CL_MAP_WRITE, a, 16, 1, &gate, &event));
	cl_sleep_ms(5);
	printf("waits: %d\n", GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS) > 0);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	show_event("map", event);
	show("unmap, no queue", clEnqueueSVMUnmap(NULL, a, 0, NULL, NULL));
	show("unmap, no pointer", clEnqueueSVMUnmap(q, NULL, 0, NULL, NULL));
	show("unmap, no event in the list", clEnqueueSVMUnmap(q, a, 1, &none, NULL));
	show("unmap", clEnqueueSVMUnmap(q, a, 0, NULL, &event));
	show_event("unmap", event);
	show("unmap again", clEnqueueSVMUnmap(q, a, 0, NULL, NULL));
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseEvent(gate));
}

static void migrations(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	const void *list[2] = { a, b }, *holed[2] = { a, NULL };
	size_t sizes[2] = { 16, 0 };
	cl_event none = NULL, event;

	show("no queue", clEnqueueSVMMigrateMem(NULL, 2, list, NULL, 0, 0, NULL, NULL));
	show("no list", clEnqueueSVMMigrateMem(q, 2, NULL, NULL, 0, 0, NULL, NULL));
	show("no pointers", clEnqueueSVMMigrateMem(q, 0, list, NULL, 0, 0, NULL, NULL));
	show("a null", clEnqueueSVMMigrateMem(q, 2, holed, NULL, 0, 0, NULL, NULL));
	show("unknown flags", clEnqueueSVMMigrateMem(q, 2, list, NULL, 8, 0, NULL, NULL));
	show("no event in the list", clEnqueueSVMMigrateMem(q, 2, list, NULL, 0, 1, &none, NULL));
	show("without sizes", clEnqueueSVMMigrateMem(q, 2, list, NULL, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
	show("with sizes", clEnqueueSVMMigrateMem(q, 2, list, sizes, 0, 0, NULL, &event));
	show_event("migration", event);
}

struct freed {
	cl_command_queue queue;
	cl_uint nr;
	void *pointers[3];
	cl_context ctx;
	pthread_t thread;
	_Atomic int calls;
};

static void CL_CALLBACK free_them(cl_command_queue queue, cl_uint nr, void *pointers[], void *data)
{
	struct freed *f = data;

	f->queue = queue;
	f->nr = nr;
	f->thread = pthread_self();
	for (cl_uint i = 0; i < nr && i < 3; i++) {
		f->pointers[i] = pointers[i];
		clSVMFree(f->ctx, pointers[i]);
	}
	atomic_fetch_add(&f->calls, 1);
}

static void frees(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	struct freed f = { .ctx = env->ctx };
	void *list[3], *holed[2] = { NULL, a }, *kept[3];
	cl_uint refs = GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT);
	cl_event none = NULL, event, gate = new_gate(env);

	show("no queue", clEnqueueSVMFree(NULL, 1, list, NULL, NULL, 0, NULL, NULL));
	show("no pointers", clEnqueueSVMFree(q, 0, list, NULL, NULL, 0, NULL, NULL));
	show("no list", clEnqueueSVMFree(q, 1, NULL, NULL, NULL, 0, NULL, NULL));
	show("a null", clEnqueueSVMFree(q, 2, holed, NULL, NULL, 0, NULL, NULL));

	for (int i = 0; i < 3; i++)
		list[i] = kept[i] = clSVMAlloc(env->ctx, 0, 1000, 0);
	show("no event in the list", clEnqueueSVMFree(q, 3, list, NULL, NULL, 1, &none, NULL));
	show("at once", clEnqueueSVMFree(q, 3, list, NULL, NULL, 0, NULL, &event));
	show_event("free", event);

	for (int i = 0; i < 3; i++)
		list[i] = clSVMAlloc(env->ctx, 0, 1000, 0);
	show("behind a gate", clEnqueueSVMFree(q, 3, list, NULL, NULL, 1, &gate, &event));
	cl_sleep_ms(5);
	memset(list[0], 1, 1000);
	memset(list, 0, sizeof(list)); /* the list was copied */
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	show_event("free", event);
	CHECK_OK(clReleaseEvent(gate));

	gate = new_gate(env);
	for (int i = 0; i < 3; i++)
		list[i] = kept[i] = clSVMAlloc(env->ctx, 0, 1000, 0);
	show("by the program", clEnqueueSVMFree(q, 3, list, free_them, &f, 1, &gate, &event));
	memset(list, 0, sizeof(list));
	cl_sleep_ms(5);
	printf("calls before: %d\n", atomic_load(&f.calls));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	printf("calls: %d, queue %d, pointers %u %d, thread of its own %d\n", atomic_load(&f.calls), f.queue == q, f.nr,
	       memcmp(kept, f.pointers, sizeof(kept)), !pthread_equal(f.thread, pthread_self()));
	show_event("free", event);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clFinish(q));
	/* a driver's thread may hold the last event for a moment */
	for (int i = 0; i < 1000 && GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT) != refs; i++)
		cl_sleep_ms(1);
	printf("context references: %+d\n",
	       (int)(GET_INFO(cl_uint, clGetContextInfo, env->ctx, CL_CONTEXT_REFERENCE_COUNT) - refs));
}

/* What waits for a failed event is not done. */
static void failed_wait(struct cl_env *env)
{
	cl_event gate = new_gate(env), events[3];
	uint8_t nine = 9;
	void *p = clSVMAlloc(env->ctx, 0, 100, 0);

	memset(a, 1, 100);
	memset(b, 2, 100);
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_FALSE, a, b, 100, 1, &gate, &events[0]));
	CHECK_OK(clEnqueueSVMMemFill(env->queue, b, &nine, 1, 100, 1, &gate, &events[1]));
	CHECK_OK(clEnqueueSVMFree(env->queue, 1, &p, NULL, NULL, 1, &gate, &events[2]));
	CHECK_OK(clSetUserEventStatus(gate, -7));
	for (int i = 0; i < 3; i++) {
		show("wait", clWaitForEvents(1, &events[i]));
		printf("failed: %d\n", GET_INFO(cl_int, clGetEventInfo, events[i], CL_EVENT_COMMAND_EXECUTION_STATUS) < 0);
		CHECK_OK(clReleaseEvent(events[i]));
	}
	clFinish(env->queue);
	printf("untouched: %d %d\n", cl_all_bytes(a, 100, 1), cl_all_bytes(b, 100, 2));
	memset(p, 3, 100);
	clSVMFree(env->ctx, p);
	CHECK_OK(clReleaseEvent(gate));
}

static void out_of_order(struct cl_env *env)
{
	cl_command_queue q = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE);
	cl_event gate = new_gate(env), first, free_one, map;
	uint8_t one = 1, two = 2;

	memset(a, 0, SIZE);
	memset(b, 0, SIZE);
	/* behind a gate, beside it, and behind the one behind it */
	CHECK_OK(clEnqueueSVMMemFill(q, a, &one, 1, SIZE, 1, &gate, &first));
	CHECK_OK(clEnqueueSVMMemFill(q, b, &two, 1, SIZE, 0, NULL, &free_one));
	CHECK_OK(clEnqueueSVMMap(q, CL_FALSE, CL_MAP_READ, b, SIZE, 0, NULL, &map));
	CHECK_OK(clWaitForEvents(1, &free_one));
	CHECK_OK(clWaitForEvents(1, &map));
	printf("beside the gate: %d %d\n", cl_all_bytes(b, SIZE, 2), cl_all_bytes(a, SIZE, 0));
	CHECK_OK(clReleaseEvent(map));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clEnqueueSVMMemcpy(q, CL_TRUE, b, a, SIZE, 1, &first, NULL));
	printf("behind: %d\n", cl_all_bytes(b, SIZE, 1));
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseEvent(free_one));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseCommandQueue(q));
}

static void teardown(struct cl_env *env)
{
	clSVMFree(env->ctx, a);
	clSVMFree(env->ctx, b);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(memcpy_errors), CL_CASE(memcpy_all_ways), CL_CASE(memcpy_behind_a_gate),
		CL_CASE(fill_errors), CL_CASE(fill_all_ways), CL_CASE(maps), CL_CASE(migrations), CL_CASE(frees),
		CL_CASE(failed_wait), CL_CASE(out_of_order), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
