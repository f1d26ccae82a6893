/* SPDX-License-Identifier: MIT */
/* Many of everything: buffers, commands, events, kernels. */
#include "cl_test.h"

static void ten_thousand_buffers(struct cl_env *env)
{
	enum { COUNT = 10000 };
	cl_mem *mems = calloc(COUNT, sizeof(*mems));
	cl_uint value, failed = 0;

	for (cl_uint i = 0; i < COUNT; i++) {
		mems[i] = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
		failed += clEnqueueFillBuffer(env->queue, mems[i], &i, 4, 0, 4096, 0, NULL, NULL) != CL_SUCCESS;
	}
	CHECK_OK(clFinish(env->queue));
	for (cl_uint i = 0; i < COUNT; i += 97) {
		CHECK_OK(clEnqueueReadBuffer(env->queue, mems[i], CL_TRUE, 4092, 4, &value, 0, NULL, NULL));
		CHECK_EQ(value, i);
	}
	for (cl_uint i = 0; i < COUNT; i++)
		failed += clReleaseMemObject(mems[i]) != CL_SUCCESS;
	CHECK_EQ(failed, 0);
	free(mems);
}

/* Create, use, release, again and again: nothing may pile up. */
static void buffers_in_turn(struct cl_env *env)
{
	cl_uint failed = 0;

	for (cl_uint i = 0; i < 3000; i++) {
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 100 + (i * 7919) % 100000, NULL);

		failed += clEnqueueFillBuffer(env->queue, mem, &i, 4, 0, 64, 0, NULL, NULL) != CL_SUCCESS;
		failed += clReleaseMemObject(mem) != CL_SUCCESS;
	}
	CHECK_EQ(failed, 0);
	CHECK_OK(clFinish(env->queue));
}

/* The enqueue never waits for the device: all of these stand behind one event. */
static void hundred_thousand_behind_a_gate(struct cl_env *env)
{
	enum { COUNT = 100000 };
	cl_command_queue queue = cl_queue(env, 0);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), first = NULL, last = NULL;
	cl_uint out = 0, failed = 0;

	CHECK_OK(clEnqueueFillBuffer(queue, mem, &out, 4, 0, 4, 1, &gate, &first));
	for (cl_uint i = 1; i <= COUNT && !failed; i++)
		failed += clEnqueueFillBuffer(queue, mem, &i, 4, 0, 4, 0, NULL, i == COUNT ? &last : NULL) != CL_SUCCESS;
	CHECK_EQ(failed, 0);
	CHECK_OK(clFlush(queue));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, 4, &out, 0, NULL, NULL));
	CHECK_EQ(out, COUNT);
	CHECK_EQ(GET_INFO(cl_int, clGetEventInfo, last, CL_EVENT_COMMAND_EXECUTION_STATUS), CL_COMPLETE);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseEvent(last));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseMemObject(mem));
}

static void five_thousand_events_kept(struct cl_env *env)
{
	enum { COUNT = 5000 };
	cl_event *events = calloc(COUNT, sizeof(*events));
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
	cl_ulong last_end = 0;
	cl_uint failed = 0, unordered = 0;

	for (cl_uint i = 0; i < COUNT; i++)
		failed += clEnqueueFillBuffer(env->queue, mem, &i, 4, 0, 64, 0, NULL, &events[i]) != CL_SUCCESS;
	REQUIRE(!failed);
	CHECK_OK(clWaitForEvents(COUNT, events));
	for (cl_uint i = 0; i < COUNT; i++) {
		cl_ulong start = 0, end = 0;

		failed += clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_START, 8, &start, NULL) != CL_SUCCESS;
		failed += clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_END, 8, &end, NULL) != CL_SUCCESS;
		unordered += start < last_end || end < start;
		last_end = end;
		failed += clReleaseEvent(events[i]) != CL_SUCCESS;
	}
	CHECK_EQ(failed, 0);
	CHECK_EQ(unordered, 0);
	CHECK_OK(clReleaseMemObject(mem));
	free(events);
}

static void many_user_events(struct cl_env *env)
{
	enum { COUNT = 5000 };
	cl_event *events = calloc(COUNT, sizeof(*events));
	cl_uint failed = 0;

	for (cl_uint i = 0; i < COUNT; i++)
		events[i] = clCreateUserEvent(env->ctx, NULL);
	for (cl_uint i = 0; i < COUNT; i++)
		failed += !events[i] || clSetUserEventStatus(events[i], CL_COMPLETE) != CL_SUCCESS;
	CHECK_OK(clWaitForEvents(COUNT, events));
	for (cl_uint i = 0; i < COUNT; i++)
		failed += clReleaseEvent(events[i]) != CL_SUCCESS;
	CHECK_EQ(failed, 0);
	free(events);
}

static void many_kernels_and_programs(struct cl_env *env)
{
	const char *text = "__kernel void k(__global int *p) { p[0]++; }";
	cl_program program = cl_build(env, text, NULL);
	cl_kernel kernels[500];
	cl_uint failed = 0;

	for (size_t i = 0; i < COUNT_OF(kernels); i++)
		kernels[i] = cl_kernel_new(program, "k");
	for (size_t i = 0; i < COUNT_OF(kernels); i++)
		failed += clReleaseKernel(kernels[i]) != CL_SUCCESS;
	for (int i = 0; i < 200; i++) {
		cl_program other = clCreateProgramWithSource(env->ctx, 1, &text, NULL, NULL);

		failed += !other || clReleaseProgram(other) != CL_SUCCESS;
	}
	CHECK_EQ(failed, 0);
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(ten_thousand_buffers), CL_CASE(buffers_in_turn), CL_CASE(hundred_thousand_behind_a_gate),
		CL_CASE(five_thousand_events_kept), CL_CASE(many_user_events), CL_CASE(many_kernels_and_programs),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
