/* SPDX-License-Identifier: MIT */
/* Event callbacks: each status, order, late registration, calls back into the API. */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIZE 65536

struct seen {
	atomic_int calls;
	atomic_int status;
	_Atomic(cl_event) event;
};

static void CL_CALLBACK note(cl_event event, cl_int status, void *user)
{
	struct seen *seen = user;

	atomic_store(&seen->event, event);
	atomic_store(&seen->status, status);
	atomic_fetch_add(&seen->calls, 1);
}

/* clFinish does not wait for callbacks: give them time. */
static bool called(struct seen *seen, int times)
{
	for (int i = 0; i < 1000 && atomic_load(&seen->calls) < times; i++)
		cl_sleep_ms(5);
	return atomic_load(&seen->calls) == times;
}

static void each_status(struct cl_env *env)
{
	static const cl_int kinds[] = { CL_SUBMITTED, CL_RUNNING, CL_COMPLETE };
	struct seen seen[COUNT_OF(kinds)] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), event = NULL;
	const char zero = 0;

	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 1, &gate, &event));
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		CHECK_OK(clSetEventCallback(event, kinds[i], note, &seen[i]));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(10);
	CHECK_EQ(atomic_load(&seen[2].calls), 0);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		CHECK(called(&seen[i], 1));
		CHECK(atomic_load(&seen[i].event) == event);
		CHECK(atomic_load(&seen[i].status) == kinds[i]);
	}
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A callback for a status that has passed is called all the same. */
static void registered_late(struct cl_env *env)
{
	struct seen seen = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event event = NULL;
	const char zero = 0;

	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, &event));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_OK(clSetEventCallback(event, CL_COMPLETE, note, &seen));
	CHECK(called(&seen, 1));
	CHECK(atomic_load(&seen.status) == CL_COMPLETE);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
}

static void on_user_events(struct cl_env *env)
{
	struct seen good = { 0 }, bad = { 0 };
	cl_event a = clCreateUserEvent(env->ctx, NULL), b = clCreateUserEvent(env->ctx, NULL);

	CHECK_OK(clSetEventCallback(a, CL_COMPLETE, note, &good));
	CHECK_OK(clSetEventCallback(b, CL_COMPLETE, note, &bad));
	CHECK_OK(clSetUserEventStatus(a, CL_COMPLETE));
	CHECK_OK(clSetUserEventStatus(b, -77));
	CHECK(called(&good, 1) && atomic_load(&good.status) == CL_COMPLETE);
	/* an error is told to whoever waits for completion; not by the native driver */
	CHECK(env->native || (called(&bad, 1) && atomic_load(&bad.status) == -77));
	CHECK_OK(clReleaseEvent(a));
	CHECK_OK(clReleaseEvent(b));
}

static void errors(struct cl_env *env)
{
	cl_event event = clCreateUserEvent(env->ctx, NULL);

	CHECK_ERR(clSetEventCallback(NULL, CL_COMPLETE, note, NULL), CL_INVALID_EVENT);
	CHECK_ERR(clSetEventCallback(event, CL_COMPLETE, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clSetEventCallback(event, CL_QUEUED, note, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clSetEventCallback(event, 17, note, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clSetEventCallback(event, -1, note, NULL), CL_INVALID_VALUE);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(event));
}

static void several_on_one_event(struct cl_env *env)
{
	enum { COUNT = 50 };
	struct seen seen[COUNT] = { 0 };
	cl_event event = clCreateUserEvent(env->ctx, NULL);

	for (size_t i = 0; i < COUNT; i++)
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, note, &seen[i]));
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	for (size_t i = 0; i < COUNT; i++)
		CHECK(called(&seen[i], 1));
	CHECK_OK(clReleaseEvent(event));
}

static void many_events(struct cl_env *env)
{
	enum { COUNT = 2000 };
	struct seen seen = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;

	for (int i = 0; i < COUNT; i++) {
		cl_event event = NULL;

		REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, 64, 0, NULL, &event));
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, note, &seen));
		/* the callback stays when the program lets go */
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clFinish(env->queue));
	CHECK(called(&seen, COUNT));
	CHECK_OK(clReleaseMemObject(mem));
}

struct relay {
	struct cl_env *env;
	cl_mem mem;
	atomic_int rounds;
	atomic_int failed;
};

/* Asks, enqueues, registers again and releases, all from inside a callback. */
static void CL_CALLBACK again(cl_event event, cl_int status, void *user)
{
	struct relay *relay = user;
	const char zero = 0;
	cl_event next = NULL;
	cl_uint count = 0;

	if (status != CL_COMPLETE || clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof(count), &count, NULL))
		atomic_store(&relay->failed, 1);
	/* counted first: a callback on a completed event may run inside the registration */
	if (atomic_fetch_add(&relay->rounds, 1) >= 20)
		return;
	if (clEnqueueFillBuffer(relay->env->queue, relay->mem, &zero, 1, 0, SIZE, 0, NULL, &next) ||
	    clSetEventCallback(next, CL_COMPLETE, again, relay) || clFlush(relay->env->queue) || clReleaseEvent(next))
		atomic_store(&relay->failed, 1);
}

static void calls_back_into_the_api(struct cl_env *env)
{
	struct relay relay = { .env = env, .mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL) };
	cl_event first = clCreateUserEvent(env->ctx, NULL);

	CHECK_OK(clSetEventCallback(first, CL_COMPLETE, again, &relay));
	CHECK_OK(clSetUserEventStatus(first, CL_COMPLETE));
	for (int i = 0; i < 1000 && atomic_load(&relay.rounds) < 21; i++)
		cl_sleep_ms(5);
	CHECK_EQ(atomic_load(&relay.rounds), 21);
	CHECK_EQ(atomic_load(&relay.failed), 0);
	CHECK_OK(clFinish(env->queue));
	cl_sleep_ms(20);
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseMemObject(relay.mem));
}

static void CL_CALLBACK open_gate(cl_event event, cl_int status, void *user)
{
	(void)event;
	clSetUserEventStatus(*(cl_event *)user, status);
}

/* The usual bridge: one command's callback sets what another one waits for. */
static void opens_a_gate(struct cl_env *env)
{
	cl_command_queue other = cl_queue(env, 0);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), first = NULL, second = NULL;
	unsigned char one = 1, two = 2, out[64];

	CHECK_OK(clEnqueueFillBuffer(other, mem, &two, 1, 0, SIZE, 1, &gate, &second));
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &one, 1, 0, SIZE, 0, NULL, &first));
	CHECK_OK(clSetEventCallback(first, CL_COMPLETE, open_gate, &gate));
	CHECK_OK(clFlush(env->queue));
	CHECK_OK(clWaitForEvents(1, &second));
	CHECK_OK(clEnqueueReadBuffer(other, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, sizeof(out), 2));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseEvent(second));
	CHECK_OK(clReleaseCommandQueue(other));
	CHECK_OK(clReleaseMemObject(mem));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(each_status), CL_CASE(registered_late), CL_CASE(on_user_events), CL_CASE(errors),
		CL_CASE(several_on_one_event), CL_CASE(many_events), CL_CASE(calls_back_into_the_api),
		CL_CASE(opens_a_gate), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
