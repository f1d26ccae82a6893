/* SPDX-License-Identifier: MIT */
/* Markers, barriers, out-of-order queues, several queues, migration. */
#include "cl_test.h"

#define SIZE 4096

static cl_program program;

static const char source[] =
	"__kernel void advance(__global int *p, int mul, int add) { p[get_global_id(0)] = p[get_global_id(0)] * mul + add; }\n"
	"__kernel void spin(__global int *p, int rounds)\n"
	"{ int v = p[0]; for (int i = 0; i < rounds; i++) v = v * 1664525 + 1013904223; p[0] = v; }\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
}

static cl_int status_of(cl_event event)
{
	return GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
}

static cl_command_type type_of(cl_event event)
{
	return GET_INFO(cl_command_type, clGetEventInfo, event, CL_EVENT_COMMAND_TYPE);
}

static void marker_waits_for_all(struct cl_env *env)
{
	cl_command_queue queues[] = { env->queue, cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;

	for (size_t i = 0; i < COUNT_OF(queues); i++) {
		cl_event gate = clCreateUserEvent(env->ctx, NULL), fill = NULL, marker = NULL;

		CHECK_OK(clEnqueueFillBuffer(queues[i], mem, &zero, 1, 0, SIZE, 1, &gate, &fill));
		CHECK_OK(clEnqueueMarkerWithWaitList(queues[i], 0, NULL, &marker));
		CHECK_OK(clFlush(queues[i]));
		cl_sleep_ms(5);
		CHECK(status_of(marker) > CL_COMPLETE);
		CHECK_EQ(type_of(marker), CL_COMMAND_MARKER);
		CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clWaitForEvents(1, &marker));
		CHECK_EQ(status_of(fill), CL_COMPLETE);
		CHECK_OK(clReleaseEvent(gate));
		CHECK_OK(clReleaseEvent(fill));
		CHECK_OK(clReleaseEvent(marker));
	}
	CHECK_OK(clReleaseCommandQueue(queues[1]));
	CHECK_OK(clReleaseMemObject(mem));
}

/*
 * With a list, a marker on an out-of-order queue waits for that list only.
 * Natively it waits for all that went before, and this never ends.
 */
static void marker_with_list(struct cl_env *env)
{
	cl_event gate, held = NULL, free_one = NULL, marker = NULL;
	cl_command_queue ooo;
	const char zero = 0;
	cl_mem a, b;

	if (env->native)
		return;
	ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	b = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	gate = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clEnqueueFillBuffer(ooo, a, &zero, 1, 0, SIZE, 1, &gate, &held));
	CHECK_OK(clEnqueueFillBuffer(ooo, b, &zero, 1, 0, SIZE, 0, NULL, &free_one));
	CHECK_OK(clEnqueueMarkerWithWaitList(ooo, 1, &free_one, &marker));
	CHECK_OK(clWaitForEvents(1, &marker));
	CHECK(status_of(held) > CL_RUNNING);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clFinish(ooo));
	CHECK_EQ(status_of(held), CL_COMPLETE);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(held));
	CHECK_OK(clReleaseEvent(free_one));
	CHECK_OK(clReleaseEvent(marker));
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
}

/* A barrier holds what comes behind it, in an out-of-order queue too. */
static bool ends_soon(cl_event event)
{
	for (unsigned int ms = 0; ms < 500 && status_of(event) > CL_COMPLETE; ms++)
		cl_sleep_ms(1);
	return status_of(event) == CL_COMPLETE;
}

/*
 * A list whose events are all complete is not the same as no list: nothing is waited for. Natively the marker waits for
 * all that went before.
 */
static void list_of_complete_events(struct cl_env *env)
{
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), done = NULL, marker = NULL, barrier = NULL, held = NULL;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event after = NULL, migrated = NULL;
	const char zero = 0;

	REQUIRE_OK(clEnqueueFillBuffer(ooo, mem, &zero, 1, 0, SIZE, 0, NULL, &done));
	CHECK_OK(clWaitForEvents(1, &done));
	CHECK_OK(clEnqueueFillBuffer(ooo, mem, &zero, 1, 0, SIZE, 1, &gate, &held));
	CHECK_OK(clEnqueueMarkerWithWaitList(ooo, 1, &done, &marker));
	CHECK_OK(clEnqueueBarrierWithWaitList(ooo, 1, &done, &barrier));
	CHECK_OK(clEnqueueMigrateMemObjects(ooo, 1, &mem, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, &migrated));
	CHECK_OK(clFlush(ooo));
	CHECK(ends_soon(barrier));
	if (!env->native) {
		CHECK(ends_soon(marker));
		CHECK(ends_soon(migrated));
	}
	CHECK(status_of(held) > CL_COMPLETE);

	/* But not before the newest barrier. */
	CHECK_OK(clEnqueueBarrierWithWaitList(ooo, 1, &gate, NULL));
	CHECK_OK(clEnqueueMarkerWithWaitList(ooo, 1, &done, &after));
	CHECK_OK(clFlush(ooo));
	cl_sleep_ms(5);
	CHECK(status_of(after) > CL_COMPLETE);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &after));
	CHECK_OK(clFinish(ooo));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(done));
	CHECK_OK(clReleaseEvent(held));
	CHECK_OK(clReleaseEvent(marker));
	CHECK_OK(clReleaseEvent(barrier));
	CHECK_OK(clReleaseEvent(migrated));
	CHECK_OK(clReleaseEvent(after));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseCommandQueue(ooo));
}

static void barrier_holds(struct cl_env *env)
{
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), first = NULL, barrier = NULL, behind = NULL;
	unsigned char one = 1, two = 2, out[SIZE] = { 0 };

	CHECK_OK(clEnqueueFillBuffer(ooo, mem, &one, 1, 0, SIZE, 1, &gate, &first));
	CHECK_OK(clEnqueueBarrierWithWaitList(ooo, 0, NULL, &barrier));
	CHECK_OK(clEnqueueFillBuffer(ooo, mem, &two, 1, 0, SIZE, 0, NULL, &behind));
	CHECK_OK(clFlush(ooo));
	cl_sleep_ms(10);
	CHECK_EQ(type_of(barrier), CL_COMMAND_BARRIER);
	CHECK(status_of(behind) > CL_RUNNING);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &behind));
	CHECK_OK(clEnqueueReadBuffer(ooo, mem, CL_TRUE, 0, SIZE, out, 1, &behind, NULL));
	CHECK(cl_all_bytes(out, SIZE, 2));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseEvent(barrier));
	CHECK_OK(clReleaseEvent(behind));
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(mem));
}

/* With a list, a barrier holds the later ones until the list is done. */
static void barrier_with_list(struct cl_env *env)
{
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), behind = NULL;
	const char zero = 0;

	CHECK_OK(clEnqueueBarrierWithWaitList(ooo, 1, &gate, NULL));
	CHECK_OK(clEnqueueFillBuffer(ooo, mem, &zero, 1, 0, SIZE, 0, NULL, &behind));
	CHECK_OK(clFlush(ooo));
	cl_sleep_ms(10);
	CHECK(status_of(behind) > CL_RUNNING);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &behind));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(behind));
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(mem));
}

static void old_calls(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), fill = NULL, marker = NULL;
	const char zero = 0;

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 1, &gate, &fill));
	/* the native driver leaves the program here: "unimplemented" */
	if (!env->native)
		CHECK_OK(clEnqueueWaitForEvents(env->queue, 1, &fill));
	CHECK_OK(clEnqueueBarrier(env->queue));
	CHECK_OK(clEnqueueMarker(env->queue, &marker));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &marker));
	CHECK_ERR(clEnqueueMarker(NULL, &marker), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueMarker(env->queue, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueBarrier(NULL), CL_INVALID_COMMAND_QUEUE);
	if (!env->native) {
		CHECK_ERR(clEnqueueWaitForEvents(NULL, 1, &fill), CL_INVALID_COMMAND_QUEUE);
		CHECK_ERR(clEnqueueWaitForEvents(env->queue, 0, &fill), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueWaitForEvents(env->queue, 1, NULL), CL_INVALID_VALUE);
	}
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(fill));
	CHECK_OK(clReleaseEvent(marker));
	CHECK_OK(clReleaseMemObject(mem));
}

static void errors(struct cl_env *env)
{
	cl_event event = NULL, none = NULL;

	CHECK_ERR(clEnqueueMarkerWithWaitList(NULL, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueMarkerWithWaitList(env->queue, 1, NULL, &event), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueMarkerWithWaitList(env->queue, 0, &none, &event), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueMarkerWithWaitList(env->queue, 1, &none, &event), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueBarrierWithWaitList(NULL, 0, NULL, &event), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueBarrierWithWaitList(env->queue, 1, NULL, &event), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueBarrierWithWaitList(env->queue, 1, &none, &event), CL_INVALID_EVENT_WAIT_LIST);
}

static void run_step(cl_command_queue queue, cl_kernel kernel, cl_mem mem, int mul, int add, const cl_event *wait,
		     cl_event *event)
{
	size_t count = SIZE / 4;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(mul), &mul));
	CHECK_OK(clSetKernelArg(kernel, 2, sizeof(add), &add));
	CHECK_OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, wait ? 1 : 0, wait, event));
}

/* ((0 * 3 + 1) * 3 + 1) ...: wrong if any two steps change places. */
static int horner(int rounds)
{
	unsigned int v = 0;

	for (int i = 0; i < rounds; i++)
		v = v * 3 + (unsigned int)i;
	return (int)v;
}

static void in_order_needs_no_events(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_kernel kernel = cl_kernel_new(program, "advance");
	const int zero = 0;
	int out[SIZE / 4];

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 4, 0, SIZE, 0, NULL, NULL));
	for (int i = 0; i < 200; i++)
		run_step(env->queue, kernel, mem, 3, i, NULL, NULL);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(out[0] == horner(200) && out[SIZE / 4 - 1] == horner(200));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A chain by events, over one out-of-order queue and over four queues. */
static void chains_by_events(struct cl_env *env)
{
	cl_command_queue queues[4];
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_kernel kernel = cl_kernel_new(program, "advance");
	int out[SIZE / 4];
	const int zero = 0;

	for (size_t i = 0; i < 4; i++)
		queues[i] = cl_queue(env, i & 1 ? 0 : CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	for (size_t used = 1; used <= 4; used += 3) {
		cl_event last = NULL;

		CHECK_OK(clEnqueueFillBuffer(queues[0], mem, &zero, 4, 0, SIZE, 0, NULL, &last));
		for (int i = 0; i < 100; i++) {
			cl_event next = NULL;

			run_step(queues[(size_t)i % used], kernel, mem, 3, i, &last, &next);
			CHECK_OK(clReleaseEvent(last));
			last = next;
			if (used > 1)
				CHECK_OK(clFlush(queues[(size_t)i % used]));
		}
		CHECK_OK(clEnqueueReadBuffer(queues[0], mem, CL_TRUE, 0, SIZE, out, 1, &last, NULL));
		CHECK(out[0] == horner(100) && out[SIZE / 4 - 1] == horner(100));
		CHECK_OK(clReleaseEvent(last));
	}
	for (size_t i = 0; i < 4; i++)
		CHECK_OK(clReleaseCommandQueue(queues[i]));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(mem));
}

/* One blocked command holds up its dependents only. */
static void blocked_command_holds_no_other(struct cl_env *env)
{
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), b = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), held = NULL;
	unsigned char one = 1, out[64] = { 0 };

	CHECK_OK(clEnqueueFillBuffer(ooo, a, &one, 1, 0, SIZE, 1, &gate, &held));
	for (int i = 0; i < 50; i++) {
		cl_event event = NULL, read = NULL;

		memset(out, 0, sizeof(out));
		CHECK_OK(clEnqueueFillBuffer(ooo, b, &one, 1, 0, SIZE, 0, NULL, &event));
		CHECK_OK(clEnqueueReadBuffer(ooo, b, CL_FALSE, 0, sizeof(out), out, 1, &event, &read));
		CHECK_OK(clWaitForEvents(1, &read));
		CHECK(cl_all_bytes(out, sizeof(out), 1));
		CHECK_OK(clReleaseEvent(event));
		CHECK_OK(clReleaseEvent(read));
	}
	/* a blocking call waits for its own command; natively for the whole queue, so for ever */
	if (!env->native)
		CHECK_OK(clEnqueueReadBuffer(ooo, b, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	/* nor does it hold up another queue */
	CHECK_OK(clEnqueueReadBuffer(env->queue, b, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(status_of(held) > CL_RUNNING);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clFinish(ooo));
	CHECK_EQ(status_of(held), CL_COMPLETE);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(held));
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
}

/* finish is over when the work is, not before. */
static void finish_waits(struct cl_env *env)
{
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_kernel kernel = cl_kernel_new(program, "spin");
	cl_event events[4];
	int rounds = 5000000;
	size_t one = 1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(rounds), &rounds));
	for (size_t i = 0; i < COUNT_OF(events); i++)
		CHECK_OK(clEnqueueNDRangeKernel(ooo, kernel, 1, NULL, &one, NULL, 0, NULL, &events[i]));
	CHECK_OK(clFinish(ooo));
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		CHECK_EQ(status_of(events[i]), CL_COMPLETE);
		CHECK_OK(clReleaseEvent(events[i]));
	}
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(mem));
}

static void migrate(struct cl_env *env)
{
	cl_mem mems[] = { cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL) };
	cl_mem none = NULL;
	cl_event event = NULL;
	unsigned char in[SIZE], out[SIZE] = { 0 };

	cl_pattern(in, SIZE, 6);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mems[0], CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	CHECK_OK(clEnqueueMigrateMemObjects(env->queue, 2, mems, 0, 0, NULL, &event));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_EQ(type_of(event), CL_COMMAND_MIGRATE_MEM_OBJECTS);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clEnqueueMigrateMemObjects(env->queue, 1, mems, CL_MIGRATE_MEM_OBJECT_HOST, 0, NULL, NULL));
	CHECK_OK(clEnqueueMigrateMemObjects(env->queue, 1, &mems[1], CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL,
					    NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mems[0], CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, SIZE, 6));
	CHECK_ERR(clEnqueueMigrateMemObjects(NULL, 1, mems, 0, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueMigrateMemObjects(env->queue, 0, mems, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueMigrateMemObjects(env->queue, 1, NULL, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueMigrateMemObjects(env->queue, 1, mems, 1 << 20, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueMigrateMemObjects(env->queue, 1, mems, 0, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueMigrateMemObjects(env->queue, 1, &none, 0, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_OK(clReleaseMemObject(mems[0]));
	CHECK_OK(clReleaseMemObject(mems[1]));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(marker_waits_for_all), CL_CASE(marker_with_list),
		CL_CASE(list_of_complete_events), CL_CASE(barrier_holds),
		CL_CASE(barrier_with_list), CL_CASE(old_calls), CL_CASE(errors), CL_CASE(in_order_needs_no_events),
		CL_CASE(chains_by_events), CL_CASE(blocked_command_holds_no_other), CL_CASE(finish_waits),
		CL_CASE(migrate), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
