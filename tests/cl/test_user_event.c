/* SPDX-License-Identifier: MIT */
/*
 * User events: status, dependents, failure. Each command behind a user event
 * that fails keeps its own event: without one the native driver aborts.
 */
#include "cl_test.h"

#define SIZE 4096

static cl_int status_of(cl_event event)
{
	return GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
}

static void create(struct cl_env *env)
{
	cl_int err = -1;
	cl_event event = clCreateUserEvent(env->ctx, &err);

	CHECK_OK(err);
	REQUIRE(event);
	CHECK_EQ(status_of(event), CL_SUBMITTED);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, event, CL_EVENT_COMMAND_TYPE), CL_COMMAND_USER);
	CHECK(GET_INFO(cl_command_queue, clGetEventInfo, event, CL_EVENT_COMMAND_QUEUE) == NULL);
	CHECK(GET_INFO(cl_context, clGetEventInfo, event, CL_EVENT_CONTEXT) == env->ctx);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_EQ(status_of(event), CL_COMPLETE);
	CHECK_OK(clReleaseEvent(event));
	CHECK_FAILS(err, clCreateUserEvent(NULL, &err), CL_INVALID_CONTEXT);
}

static void set_errors(struct cl_env *env)
{
	cl_event event = clCreateUserEvent(env->ctx, NULL), command = NULL;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;

	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, &command));
	CHECK_OK(clWaitForEvents(1, &command));
	CHECK_ERR(clSetUserEventStatus(NULL, CL_COMPLETE), CL_INVALID_EVENT);
	CHECK_ERR(clSetUserEventStatus(command, CL_COMPLETE), CL_INVALID_EVENT);
	CHECK_ERR(clSetUserEventStatus(event, CL_RUNNING), CL_INVALID_VALUE);
	CHECK_ERR(clSetUserEventStatus(event, CL_SUBMITTED), CL_INVALID_VALUE);
	CHECK_ERR(clSetUserEventStatus(event, 17), CL_INVALID_VALUE);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_ERR(clSetUserEventStatus(event, CL_COMPLETE), CL_INVALID_OPERATION);
	CHECK_ERR(clSetUserEventStatus(event, -1), CL_INVALID_OPERATION);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseEvent(command));
	CHECK_OK(clReleaseMemObject(mem));
}

static void gates_work(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char zero = 0, one = 1, out[SIZE];
	cl_event gate = clCreateUserEvent(env->ctx, NULL), filled = NULL, read = NULL;

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	memset(out, 0xaa, sizeof(out));
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &one, 1, 0, SIZE, 1, &gate, &filled));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, 0, SIZE, out, 0, NULL, &read));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(20);
	CHECK(cl_all_bytes(out, SIZE, 0xaa));
	CHECK(status_of(read) > CL_RUNNING);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &read));
	CHECK(cl_all_bytes(out, SIZE, 1));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(filled));
	CHECK_OK(clReleaseEvent(read));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A waits for the first, B for the second, set in the other order. */
static void several_gates(struct cl_env *env)
{
	enum { COUNT = 16 };
	cl_command_queue ooo = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, COUNT * 4, NULL);
	cl_event gates[COUNT], done[COUNT];
	cl_uint out[COUNT] = { 0 };

	for (cl_uint i = 0; i < COUNT; i++) {
		gates[i] = clCreateUserEvent(env->ctx, NULL);
		CHECK_OK(clEnqueueFillBuffer(ooo, mem, &i, 4, (size_t)i * 4, 4, 1, &gates[i], &done[i]));
	}
	CHECK_OK(clFlush(ooo));
	for (cl_uint i = COUNT; i-- > 0;) {
		for (cl_uint j = 0; j < i; j++)
			CHECK(status_of(done[j]) > CL_RUNNING);
		CHECK_OK(clSetUserEventStatus(gates[i], CL_COMPLETE));
		CHECK_OK(clWaitForEvents(1, &done[i]));
	}
	CHECK_OK(clEnqueueReadBuffer(ooo, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	for (cl_uint i = 0; i < COUNT; i++) {
		CHECK_EQ(out[i], i);
		CHECK_OK(clReleaseEvent(gates[i]));
		CHECK_OK(clReleaseEvent(done[i]));
	}
	CHECK_OK(clReleaseCommandQueue(ooo));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A completed command's event opens the way: wait for A, then set what B waits for. */
static void chained_by_the_program(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const unsigned char byte = 4;

	for (int i = 0; i < 50; i++) {
		cl_event gate = clCreateUserEvent(env->ctx, NULL), a = NULL, b = NULL;

		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 0, NULL, &a));
		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 1, &gate, &b));
		CHECK_OK(clWaitForEvents(1, &a));
		CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clWaitForEvents(1, &b));
		CHECK_OK(clReleaseEvent(a));
		CHECK_OK(clReleaseEvent(b));
		CHECK_OK(clReleaseEvent(gate));
	}
	CHECK_OK(clReleaseMemObject(mem));
}

static void failure_spreads(struct cl_env *env)
{
	struct cl_env own = *env;
	cl_event gate, events[3];
	unsigned char one = 1, out[SIZE];
	cl_mem mem;

	own.queue = cl_queue(env, 0);
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	gate = clCreateUserEvent(env->ctx, NULL);
	memset(out, 0xbb, sizeof(out));
	CHECK_OK(clEnqueueFillBuffer(own.queue, mem, &one, 1, 0, SIZE, 1, &gate, &events[0]));
	CHECK_OK(clEnqueueReadBuffer(own.queue, mem, CL_FALSE, 0, SIZE, out, 1, &events[0], &events[1]));
	CHECK_OK(clEnqueueMarkerWithWaitList(own.queue, 1, &events[1], &events[2]));
	CHECK_OK(clSetUserEventStatus(gate, -1234));
	CHECK_EQ((cl_uint)status_of(gate), (cl_uint)-1234);
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		CHECK_ERR(clWaitForEvents(1, &events[i]), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
		CHECK(status_of(events[i]) < 0);
		CHECK_OK(clReleaseEvent(events[i]));
	}
	CHECK_ERR(clWaitForEvents(1, &gate), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	/* nothing was read */
	CHECK(cl_all_bytes(out, SIZE, 0xbb));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseCommandQueue(own.queue));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A call behind an event that has failed already says so; natively it never ends. */
static void blocking_call_behind_failure(struct cl_env *env)
{
	unsigned char out[SIZE];
	cl_command_queue queue;
	cl_event gate;
	cl_mem mem;

	if (env->native)
		return;
	queue = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	gate = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clSetUserEventStatus(gate, -1));
	CHECK_ERR(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, SIZE, out, 1, &gate, NULL),
		  CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseMemObject(mem));
}

/* After a failure elsewhere, other work goes on. */
static void others_unharmed(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char two = 2, out[SIZE] = { 0 };

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &two, 1, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, SIZE, 2));
	CHECK_OK(clReleaseMemObject(mem));
}

/* The trap of the native driver: no event kept for the dependent. */
static void failure_without_kept_event(struct cl_env *env)
{
	cl_command_queue queue;
	cl_mem mem;
	cl_event gate;
	const char zero = 0;

	if (env->native)
		return;
	queue = cl_queue(env, 0);
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	gate = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clEnqueueFillBuffer(queue, mem, &zero, 1, 0, SIZE, 1, &gate, NULL));
	CHECK_OK(clSetUserEventStatus(gate, -1));
	/* whether finish reports it is left open; it must end */
	(void)clFinish(queue);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseCommandQueue(queue));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create), CL_CASE(set_errors), CL_CASE(gates_work), CL_CASE(several_gates),
		CL_CASE(chained_by_the_program), CL_CASE(failure_spreads), CL_CASE(blocking_call_behind_failure),
		CL_CASE(failure_without_kept_event), CL_CASE(others_unharmed), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
