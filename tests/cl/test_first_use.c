/* SPDX-License-Identifier: MIT */
/*
 * Objects whose first use is late, or at the same time in two threads: a driver may tell its device of them no earlier.
 */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define SIZE 4096
#define ROUNDS 200
#define SOON 0.4 /* seconds; a driver that looks only now and then is not that fast */
#define TRIES 3	 /* a busy machine may be slow once, but not each time */

static const char source[] = "__kernel void count(__global volatile uint *p) { atomic_inc(p); }\n";

static cl_program program;

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
}

struct user {
	struct cl_env *env;
	cl_kernel kernel;
	cl_command_queue queue;
	cl_mem mem;
	pthread_barrier_t *start;
};

static void *use(void *data)
{
	const size_t one = 1;
	struct user *u = data;

	pthread_barrier_wait(u->start);
	CHECK_OK(clSetKernelArg(u->kernel, 0, sizeof(u->mem), &u->mem));
	CHECK_OK(clEnqueueNDRangeKernel(u->queue, u->kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(u->queue));
	return NULL;
}

static void buffer_of_two_threads(struct cl_env *env)
{
	struct user users[2];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++)
		users[i] = (struct user){ env, cl_kernel_new(program, "count"), cl_queue(env, 0), NULL, &start };
	for (int round = 0; round < ROUNDS; round++) {
		cl_uint counter = 40;
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof(counter), &counter);
		pthread_t thread;

		users[0].mem = users[1].mem = mem;
		REQUIRE(pthread_create(&thread, NULL, use, &users[1]) == 0);
		use(&users[0]);
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(counter), &counter, 0, NULL, NULL));
		CHECK_EQ(counter, 42);
		CHECK_OK(clReleaseMemObject(mem));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_OK(clReleaseKernel(users[i].kernel));
		CHECK_OK(clReleaseCommandQueue(users[i].queue));
	}
	pthread_barrier_destroy(&start);
}

struct setter {
	cl_event gate;
	pthread_barrier_t *start;
	unsigned int delay_ms;
};

static void *set(void *data)
{
	struct setter *s = data;

	if (s->start)
		pthread_barrier_wait(s->start);
	if (s->delay_ms)
		cl_sleep_ms(s->delay_ms);
	CHECK_OK(clSetUserEventStatus(s->gate, CL_COMPLETE));
	return NULL;
}

/* The event is set while a command is told to wait for it. */
static void gate_of_two_threads(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	pthread_barrier_t start;
	unsigned char out[SIZE];

	pthread_barrier_init(&start, NULL, 2);
	for (int round = 0; round < ROUNDS; round++) {
		struct setter s = { clCreateUserEvent(env->ctx, NULL), &start, 0 };
		const unsigned char byte = (unsigned char)round;
		cl_event filled = NULL;
		pthread_t thread;

		REQUIRE(pthread_create(&thread, NULL, set, &s) == 0);
		pthread_barrier_wait(&start);
		REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 1, &s.gate, &filled));
		CHECK_OK(clWaitForEvents(1, &filled));
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK_OK(clReleaseEvent(s.gate));
		CHECK_OK(clReleaseEvent(filled));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		CHECK(cl_all_bytes(out, SIZE, byte));
	}
	pthread_barrier_destroy(&start);
	CHECK_OK(clReleaseMemObject(mem));
}

static bool is_soon(struct cl_env *env, bool (*once)(struct cl_env *env))
{
	for (int i = 0; i < TRIES; i++)
		if (once(env))
			return true;
	return false;
}

/* Return: was it over soon? */
static bool wait_for_setter(struct cl_env *env)
{
	struct setter s = { clCreateUserEvent(env->ctx, NULL), NULL, 50 };
	double start = cl_now(), took;
	pthread_t thread;

	if (!CHECK(pthread_create(&thread, NULL, set, &s) == 0))
		return false;
	CHECK_OK(clWaitForEvents(1, &s.gate));
	took = cl_now() - start;
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK_OK(clReleaseEvent(s.gate));
	return took < SOON;
}

/* No command knows the event: nobody but the setter can end the wait. */
static void wait_without_commands(struct cl_env *env)
{
	CHECK(is_soon(env, wait_for_setter));
}

static void CL_CALLBACK note(cl_event event, cl_int status, void *data)
{
	(void)event;
	atomic_store((_Atomic cl_int *)data, status);
}

/* Return: was it called soon? */
static bool wait_for_callback(struct cl_env *env)
{
	cl_event gate = clCreateUserEvent(env->ctx, NULL);
	_Atomic cl_int status = 77;
	double start, took;

	CHECK_OK(clSetEventCallback(gate, CL_COMPLETE, note, &status));
	cl_sleep_ms(50); /* whoever calls back sleeps by now */
	CHECK_EQ(atomic_load(&status), 77);
	start = cl_now();
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	while (atomic_load(&status) == 77 && cl_now() - start < 10)
		cl_sleep_ms(1);
	took = cl_now() - start;
	CHECK_EQ(atomic_load(&status), CL_COMPLETE);
	CHECK_OK(clReleaseEvent(gate));
	return took < SOON;
}

static void callback_without_commands(struct cl_env *env)
{
	CHECK(is_soon(env, wait_for_callback));
}

static void gate_failed_before(struct cl_env *env)
{
	cl_event gate, filled = NULL;
	const char zero = 0;
	cl_mem mem;

	if (env->native) /* waits for ever */
		return;
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	gate = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clSetUserEventStatus(gate, -5));
	REQUIRE_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 1, &gate, &filled));
	CHECK_ERR(clWaitForEvents(1, &filled), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	CHECK(GET_INFO(cl_int, clGetEventInfo, filled, CL_EVENT_COMMAND_EXECUTION_STATUS) < 0);
	CHECK_OK(clReleaseEvent(filled));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseMemObject(mem));
}

/* What was put into a buffer before any command used it is there when one does, in a part of it as well. */
static void bytes_from_before(struct cl_env *env)
{
	const cl_buffer_region half = { SIZE, SIZE };
	cl_mem to = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), from, part;
	unsigned char bytes[2 * SIZE], out[SIZE];
	cl_int err;

	cl_pattern(bytes, sizeof(bytes), 7);
	from = cl_buffer(env, CL_MEM_READ_ONLY, sizeof(bytes), NULL);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, from, CL_TRUE, 0, sizeof(bytes), bytes, 0, NULL, NULL));
	part = clCreateSubBuffer(from, 0, CL_BUFFER_CREATE_TYPE_REGION, &half, &err);
	REQUIRE_OK(err);
	CHECK_OK(clEnqueueCopyBuffer(env->queue, part, to, 0, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, to, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(memcmp(out, bytes + SIZE, SIZE) == 0);
	CHECK_OK(clReleaseMemObject(part));
	CHECK_OK(clReleaseMemObject(from));
	CHECK_OK(clReleaseMemObject(to));
}

static void CL_CALLBACK look(cl_mem mem, void *data)
{
	(void)mem;
	CHECK(cl_all_bytes(data, SIZE, 3));
}

/* The program's own memory, written by one call, is the program's again when the buffer's end is told. */
static void own_memory_at_the_end(struct cl_env *env)
{
	unsigned char *own = aligned_alloc(SIZE, SIZE), bytes[SIZE];
	cl_mem mem;

	REQUIRE(own);
	memset(own, 1, SIZE);
	memset(bytes, 3, SIZE);
	mem = cl_buffer(env, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, SIZE, own);
	CHECK_OK(clSetMemObjectDestructorCallback(mem, look, own));
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, bytes, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clFinish(env->queue));
	cl_sleep_ms(50);
	CHECK(cl_all_bytes(own, SIZE, 3));
	free(own);
}

/* Their memory is given to the next at once: what the last one held must not be touched any more. */
static void many_never_used(struct cl_env *env)
{
	cl_mem used = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const unsigned char byte = 9;
	unsigned char out[SIZE];

	CHECK_OK(clEnqueueFillBuffer(env->queue, used, &byte, 1, 0, SIZE, 0, NULL, NULL));
	for (int i = 0; i < 1000; i++) {
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

		memset(out, i, SIZE);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		CHECK_OK(clReleaseMemObject(mem));
	}
	CHECK_OK(clEnqueueReadBuffer(env->queue, used, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, SIZE, byte));
	CHECK_OK(clReleaseMemObject(used));
}

static void done(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(buffer_of_two_threads), CL_CASE(gate_of_two_threads),
		CL_CASE(wait_without_commands), CL_CASE(callback_without_commands), CL_CASE(gate_failed_before),
		CL_CASE(bytes_from_before), CL_CASE(own_memory_at_the_end), CL_CASE(many_never_used), CL_CASE(done), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
