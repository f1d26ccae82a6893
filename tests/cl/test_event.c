/* SPDX-License-Identifier: MIT */
/* Events: info, status progression, wait lists, counts, profiling times. */
#include "cl_test.h"

#define SIZE 65536

static cl_int status_of(cl_event event)
{
	return GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
}

static void info(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;
	cl_event event = NULL;
	char buf[64];

	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, &event));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_INFO(sizeof(cl_command_queue), clGetEventInfo, event, CL_EVENT_COMMAND_QUEUE);
	CHECK_INFO(sizeof(cl_context), clGetEventInfo, event, CL_EVENT_CONTEXT);
	CHECK_INFO(sizeof(cl_command_type), clGetEventInfo, event, CL_EVENT_COMMAND_TYPE);
	CHECK_INFO(sizeof(cl_int), clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
	CHECK_INFO(sizeof(cl_uint), clGetEventInfo, event, CL_EVENT_REFERENCE_COUNT);
	CHECK(GET_INFO(cl_command_queue, clGetEventInfo, event, CL_EVENT_COMMAND_QUEUE) == env->queue);
	CHECK(GET_INFO(cl_context, clGetEventInfo, event, CL_EVENT_CONTEXT) == env->ctx);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, event, CL_EVENT_COMMAND_TYPE), CL_COMMAND_FILL_BUFFER);
	CHECK_EQ(status_of(event), CL_COMPLETE);
	CHECK_ERR(clGetEventInfo(event, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetEventInfo(NULL, CL_EVENT_CONTEXT, sizeof(buf), buf, NULL), CL_INVALID_EVENT);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
}

static void counts(struct cl_env *env)
{
	cl_event event = clCreateUserEvent(env->ctx, NULL);

	REQUIRE(event);
	CHECK_EQ(GET_INFO(cl_uint, clGetEventInfo, event, CL_EVENT_REFERENCE_COUNT), 1);
	CHECK_OK(clRetainEvent(event));
	CHECK_EQ(GET_INFO(cl_uint, clGetEventInfo, event, CL_EVENT_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(event));
	CHECK_ERR(clRetainEvent(NULL), CL_INVALID_EVENT);
	CHECK_ERR(clReleaseEvent(NULL), CL_INVALID_EVENT);
}

/* Nothing runs before its wait list: QUEUED or SUBMITTED, then COMPLETE. */
static void progression(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), events[5];
	const char zero = 0;

	for (size_t i = 0; i < COUNT_OF(events); i++)
		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, i == 0, i == 0 ? &gate : NULL,
					     &events[i]));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(10);
	for (size_t i = 0; i < COUNT_OF(events); i++)
		CHECK(status_of(events[i]) == CL_QUEUED || status_of(events[i]) == CL_SUBMITTED);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	/* in order: the last one done means that all are */
	CHECK_OK(clWaitForEvents(1, &events[4]));
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		CHECK_EQ(status_of(events[i]), CL_COMPLETE);
		CHECK_OK(clReleaseEvent(events[i]));
	}
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseMemObject(mem));
}

/* Polling alone must get there: a program may never call wait or finish. */
static void polling_ends(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;
	double limit;

	for (int i = 0; i < 20; i++) {
		cl_event event = NULL;

		REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, &event));
		CHECK_OK(clFlush(env->queue));
		limit = cl_now() + 10;
		while (status_of(event) != CL_COMPLETE && cl_now() < limit)
			continue;
		CHECK_EQ(status_of(event), CL_COMPLETE);
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clReleaseMemObject(mem));
}

static void wait_errors(struct cl_env *env)
{
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_event event = clCreateUserEvent(env->ctx, NULL), foreign = clCreateUserEvent(ctx, NULL), none = NULL;

	REQUIRE(event && foreign);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_OK(clSetUserEventStatus(foreign, CL_COMPLETE));
	CHECK_ERR(clWaitForEvents(0, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clWaitForEvents(0, &event), CL_INVALID_VALUE);
	CHECK_ERR(clWaitForEvents(1, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clWaitForEvents(1, &none), CL_INVALID_EVENT);
	CHECK_ERR(clWaitForEvents(2, (cl_event[]){ event, foreign }), CL_INVALID_CONTEXT);
	CHECK_OK(clWaitForEvents(2, (cl_event[]){ event, event }));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseEvent(foreign));
	CHECK_OK(clReleaseContext(ctx));
}

/* Events released before their commands are done. */
static void released_early(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *out = calloc(1, SIZE), byte = 9;
	cl_event gate = clCreateUserEvent(env->ctx, NULL), event = NULL, next = NULL;

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 1, &gate, &event));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, 0, SIZE, out, 1, &event, &next));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseEvent(next));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clFinish(env->queue));
	CHECK(cl_all_bytes(out, SIZE, byte));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

static void long_wait_list(struct cl_env *env)
{
	enum { COUNT = 500 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, COUNT * 4, NULL);
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_event *events = calloc(COUNT, sizeof(*events));
	cl_uint *out = calloc(COUNT, 4);
	bool right = true;

	for (cl_uint i = 0; i < COUNT; i++)
		CHECK_OK(clEnqueueFillBuffer(ooo, mem, &i, 4, (size_t)i * 4, 4, 0, NULL, &events[i]));
	CHECK_OK(clEnqueueReadBuffer(ooo, mem, CL_TRUE, 0, COUNT * 4, out, COUNT, events, NULL));
	for (cl_uint i = 0; i < COUNT; i++) {
		right &= out[i] == i;
		CHECK_OK(clReleaseEvent(events[i]));
	}
	CHECK(right);
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(mem));
	free(events);
	free(out);
}

static const cl_profiling_info times[] = { CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
					   CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END };

static void profiling(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 64 * SIZE, NULL);
	cl_ulong last_end = 0;
	double began = cl_now(), wall;
	const char zero = 0;

	for (int i = 0; i < 10; i++) {
		cl_ulong t[4] = { 0 };
		cl_event event = NULL;

		REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, 64 * SIZE, 0, NULL, &event));
		CHECK_OK(clWaitForEvents(1, &event));
		for (size_t n = 0; n < 4; n++)
			t[n] = GET_INFO(cl_ulong, clGetEventProfilingInfo, event, times[n]);
		CHECK(t[0] > 0 && t[0] <= t[1] && t[1] <= t[2] && t[2] <= t[3]);
		/* one after the other: each is queued after the last has ended */
		CHECK(t[0] >= last_end);
		CHECK(GET_INFO(cl_ulong, clGetEventProfilingInfo, event, CL_PROFILING_COMMAND_COMPLETE) >= t[3]);
		wall = cl_now() - began;
		CHECK((double)(t[3] - t[0]) * 1e-9 <= wall + 0.01);
		last_end = t[3];
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clReleaseMemObject(mem));
}

/* The times of a command behind a gate: queued long before it starts. */
static void profiling_while_waiting(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), event = NULL;
	cl_ulong queued, started;
	const char zero = 0;

	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 1, &gate, &event));
	CHECK_ERR(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(queued), &queued, NULL),
		  CL_PROFILING_INFO_NOT_AVAILABLE);
	cl_sleep_ms(30);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	queued = GET_INFO(cl_ulong, clGetEventProfilingInfo, event, CL_PROFILING_COMMAND_QUEUED);
	started = GET_INFO(cl_ulong, clGetEventProfilingInfo, event, CL_PROFILING_COMMAND_START);
	CHECK(started - queued >= 25 * 1000000u);
	CHECK(started - queued < 60 * 1000000000ull);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseMemObject(mem));
}

/* In order, a read does not begin before the kernel ends, even if the call came before. */
static void profiling_in_order(struct cl_env *env)
{
	static const char source[] =
		"__kernel void spin(__global uint *p, uint rounds)\n"
		"{ uint v = p[0]; for (uint i = 0; i < rounds; i++) v = v * 1664525u + i; p[0] = v; }\n";
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "spin");
	const cl_uint rounds = 20000000;
	cl_event spun = NULL, read = NULL;
	const size_t one = 1;
	cl_uint out;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(rounds), &rounds));
	REQUIRE_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, &spun));
	REQUIRE_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(out), &out, 0, NULL, &read));
	CHECK(GET_INFO(cl_ulong, clGetEventProfilingInfo, read, CL_PROFILING_COMMAND_START) >=
	      GET_INFO(cl_ulong, clGetEventProfilingInfo, spun, CL_PROFILING_COMMAND_END));
	CHECK_OK(clReleaseEvent(spun));
	CHECK_OK(clReleaseEvent(read));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseMemObject(mem));
}

static void profiling_errors(struct cl_env *env)
{
	cl_command_queue plain = cl_queue(env, 0);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event event = NULL, timed = NULL, user = clCreateUserEvent(env->ctx, NULL);
	const char zero = 0;
	cl_ulong t;

	REQUIRE_OK(clEnqueueFillBuffer(plain, mem, &zero, 1, 0, SIZE, 0, NULL, &event));
	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, &timed));
	CHECK_OK(clWaitForEvents(2, (cl_event[]){ event, timed }));
	CHECK_ERR(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof(t), &t, NULL),
		  CL_PROFILING_INFO_NOT_AVAILABLE);
	CHECK_ERR(clGetEventProfilingInfo(user, CL_PROFILING_COMMAND_START, sizeof(t), &t, NULL),
		  CL_PROFILING_INFO_NOT_AVAILABLE);
	CHECK_ERR(clGetEventProfilingInfo(timed, 0xbad, sizeof(t), &t, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetEventProfilingInfo(timed, CL_PROFILING_COMMAND_START, 4, &t, NULL), CL_INVALID_VALUE);
	CHECK_INFO(sizeof(cl_ulong), clGetEventProfilingInfo, timed, CL_PROFILING_COMMAND_START);
	CHECK_ERR(clGetEventProfilingInfo(NULL, CL_PROFILING_COMMAND_START, sizeof(t), &t, NULL), CL_INVALID_EVENT);
	CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(user));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseEvent(timed));
	CHECK_OK(clReleaseCommandQueue(plain));
	CHECK_OK(clReleaseMemObject(mem));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(info), CL_CASE(counts), CL_CASE(progression), CL_CASE(polling_ends), CL_CASE(wait_errors),
		CL_CASE(released_early), CL_CASE(long_wait_list), CL_CASE(profiling),
		CL_CASE(profiling_while_waiting), CL_CASE(profiling_in_order), CL_CASE(profiling_errors), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
