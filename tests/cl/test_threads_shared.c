/* SPDX-License-Identifier: MIT */
/* Sixteen threads on one context: kernels that are clones of one, events that other threads made, builds at the same time. */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 16
#define COUNT 256
#define SIZE (COUNT * sizeof(cl_uint))
#define ROUNDS 40

static cl_program program;

static const char source[] =
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n"
	"__kernel void next(__global uint *p, uint v) { p[0] = p[0] * 3 + v; }\n";

static struct shared {
	struct cl_env *env;
	cl_kernel kernel;
	cl_mem mem;
	cl_event event;
	cl_event chain[THREADS + 1];
	pthread_barrier_t barrier;
	atomic_int called;
} shared;

static void setup(struct cl_env *env)
{
	shared.env = env;
	program = cl_build(env, source, NULL);
	CHECK(pthread_barrier_init(&shared.barrier, NULL, THREADS) == 0);
}

static void run_all(void *(*fn)(void *))
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, fn, NULL) == 0);
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Threads take their numbers in the order in which they come. */
static atomic_uint next_number;

static unsigned int my_number(void)
{
	return atomic_fetch_add(&next_number, 1) % THREADS;
}

static bool words_are(const cl_uint *words, cl_uint want)
{
	for (size_t i = 0; i < COUNT; i++)
		if (words[i] != want)
			return false;
	return true;
}

/* A clone has the arguments of its kernel, and then its own. */
static void *use_clone(void *arg)
{
	struct cl_env *env = shared.env;
	cl_int err = CL_SUCCESS;
	cl_kernel own = clCloneKernel(shared.kernel, &err);
	const cl_uint zero = 0, v = my_number() + 1;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	size_t count = COUNT;
	cl_uint out[COUNT];

	(void)arg;
	CHECK_OK(err);
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, sizeof(zero), 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clSetKernelArg(own, 0, sizeof(mem), &mem));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		CHECK_OK(clSetKernelArg(own, 1, sizeof(v), &v));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, own, 1, NULL, &count, NULL, 0, NULL, NULL));
	}
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(words_are(out, v * ROUNDS));
	CHECK_OK(clReleaseKernel(own));
	CHECK_OK(clReleaseMemObject(mem));
	return NULL;
}

static void clones_on_one_queue(struct cl_env *env)
{
	const cl_uint one = 1;

	shared.kernel = cl_kernel_new(program, "add");
	shared.mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	CHECK_OK(clSetKernelArg(shared.kernel, 0, sizeof(shared.mem), &shared.mem));
	CHECK_OK(clSetKernelArg(shared.kernel, 1, sizeof(one), &one));
	run_all(use_clone);
	CHECK_OK(clReleaseKernel(shared.kernel));
	CHECK_OK(clReleaseMemObject(shared.mem));
}

/* Each thread's kernel waits for the event of the thread before it, on a queue of its own. */
static void *link_of_chain(void *arg)
{
	cl_command_queue queue = cl_queue(shared.env, 0);
	cl_kernel kernel = cl_kernel_new(program, "next");
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned int turn;
	const size_t one = 1;
	cl_uint number;

	(void)arg;
	pthread_mutex_lock(&lock);
	number = turn++ % THREADS;
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(shared.mem), &shared.mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(number), &number));
	CHECK_OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, NULL, 1, &shared.chain[number],
					&shared.chain[number + 1]));
	pthread_mutex_unlock(&lock);
	CHECK_OK(clFlush(queue));
	pthread_barrier_wait(&shared.barrier);
	if (number == THREADS / 2)
		CHECK_OK(clSetUserEventStatus(shared.chain[0], CL_COMPLETE));
	/* Everybody waits for the last one, which is somebody else's. */
	CHECK_OK(clWaitForEvents(1, &shared.chain[THREADS]));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseCommandQueue(queue));
	return NULL;
}

static void a_chain_through_all_threads(struct cl_env *env)
{
	cl_uint want, got;

	for (int round = 0; round < 5; round++) {
		want = got = 0;
		shared.mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(got), &got);
		shared.chain[0] = clCreateUserEvent(env->ctx, NULL);
		run_all(link_of_chain);
		CHECK_OK(clEnqueueReadBuffer(env->queue, shared.mem, CL_TRUE, 0, sizeof(got), &got, 0, NULL, NULL));
		for (cl_uint i = 0; i < THREADS; i++)
			want = want * 3 + i;
		CHECK_EQ(got, want);
		for (unsigned int i = 0; i <= THREADS; i++)
			CHECK_OK(clReleaseEvent(shared.chain[i]));
		CHECK_OK(clReleaseMemObject(shared.mem));
	}
}

static void CL_CALLBACK count_call(cl_event event, cl_int status, void *user)
{
	(void)event;
	(void)user;
	if (status == CL_COMPLETE)
		atomic_fetch_add(&shared.called, 1);
}

/* Waits, asks, polls, listens, retains and releases: one event of a command, by all threads. */
static void *use_event(void *arg)
{
	cl_event event = shared.event;
	unsigned int number = my_number();
	cl_int status = 1;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		CHECK_OK(clRetainEvent(event));
		CHECK(GET_INFO(cl_uint, clGetEventInfo, event, CL_EVENT_REFERENCE_COUNT) >= 2);
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clSetEventCallback(event, CL_COMPLETE, count_call, NULL));
	pthread_barrier_wait(&shared.barrier);
	if (number == 0)
		CHECK_OK(clSetUserEventStatus(shared.chain[0], CL_COMPLETE));
	if (number % 2)
		CHECK_OK(clWaitForEvents(1, &event));
	while (status > CL_COMPLETE)
		status = GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS);
	CHECK_EQ(status, CL_COMPLETE);
	CHECK(GET_INFO(cl_ulong, clGetEventProfilingInfo, event, CL_PROFILING_COMMAND_END) > 0);
	return NULL;
}

static void one_event_used_by_all(struct cl_env *env)
{
	const char zero = 0;

	for (int round = 0; round < 5; round++) {
		shared.mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
		shared.chain[0] = clCreateUserEvent(env->ctx, NULL);
		atomic_store(&shared.called, 0);
		CHECK_OK(clEnqueueFillBuffer(env->queue, shared.mem, &zero, 1, 0, SIZE, 1, shared.chain, &shared.event));
		CHECK_OK(clFlush(env->queue));
		run_all(use_event);
		for (int i = 0; i < 1000 && atomic_load(&shared.called) < THREADS; i++)
			cl_sleep_ms(5);
		CHECK_EQ(atomic_load(&shared.called), THREADS);
		CHECK_OK(clReleaseEvent(shared.event));
		CHECK_OK(clReleaseEvent(shared.chain[0]));
		CHECK_OK(clReleaseMemObject(shared.mem));
	}
}

/* Four programs, each built by four threads at the same time; each thread runs its own. */
static void *build_and_run(void *arg)
{
	static const char text[] = "__kernel void put(__global uint *p) { p[get_global_id(0)] = VALUE; }\n";
	struct cl_env *env = shared.env;
	const cl_uint value = my_number() % 4 + 70;
	size_t count = COUNT;
	cl_uint out[COUNT];
	cl_program own;
	cl_kernel kernel;
	char options[32];
	cl_mem mem;

	(void)arg;
	snprintf(options, sizeof(options), "-DVALUE=%u", value);
	pthread_barrier_wait(&shared.barrier);
	own = cl_build(env, text, options);
	kernel = cl_kernel_new(own, "put");
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(words_are(out, value));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(own));
	return NULL;
}

static void builds_at_the_same_time(struct cl_env *env)
{
	(void)env;
	run_all(build_and_run);
}

/* A context with all that belongs to it, again and again, in each thread. */
static void *contexts(void *arg)
{
	(void)arg;
	for (cl_uint round = 0; round < 6; round++) {
		const cl_uint value = my_number() << 16 | round;
		struct cl_env own;
		cl_uint out[COUNT];
		cl_event event = NULL;
		cl_mem mem;

		cl_env_open(&own);
		mem = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
		CHECK_OK(clEnqueueFillBuffer(own.queue, mem, &value, sizeof(value), 0, SIZE, 0, NULL, &event));
		CHECK_OK(clEnqueueReadBuffer(own.queue, mem, CL_TRUE, 0, SIZE, out, 1, &event, NULL));
		CHECK(words_are(out, value));
		CHECK_OK(clReleaseEvent(event));
		CHECK_OK(clReleaseMemObject(mem));
		cl_env_close(&own);
	}
	return NULL;
}

static void contexts_come_and_go(struct cl_env *env)
{
	(void)env;
	run_all(contexts);
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
	pthread_barrier_destroy(&shared.barrier);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(clones_on_one_queue), CL_CASE(a_chain_through_all_threads),
		CL_CASE(one_event_used_by_all), CL_CASE(builds_at_the_same_time), CL_CASE(contexts_come_and_go),
		CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
