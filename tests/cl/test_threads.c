/* SPDX-License-Identifier: MIT */
/* Many threads: one context, one queue, a context each, objects shared. */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 12
#define COUNT 1024
#define SIZE (COUNT * sizeof(cl_uint))

static cl_program program;

static const char source[] =
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n"
	"__kernel void count(__global volatile uint *p) { atomic_inc(p); }\n";

struct job {
	struct cl_env *env;
	unsigned int number;
	cl_mem shared;
};

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
}

static void run_all(struct cl_env *env, cl_mem shared, void *(*fn)(void *))
{
	pthread_t threads[THREADS];
	struct job jobs[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ .env = env, .number = i, .shared = shared };
		CHECK(pthread_create(&threads[i], NULL, fn, &jobs[i]) == 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Writes, adds in a kernel, reads back; wrong if another's data came through. */
static void rounds(struct cl_env *env, cl_command_queue queue, cl_program from, unsigned int number)
{
	cl_kernel kernel = cl_kernel_new(from, "add");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_uint data[COUNT], v = number + 1;
	size_t count = COUNT;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(v), &v));
	for (cl_uint round = 0; round < 30; round++) {
		cl_event event = NULL;
		bool right = true;

		for (cl_uint i = 0; i < COUNT; i++)
			data[i] = number * 1000000 + round * 1000 + i;
		CHECK_OK(clEnqueueWriteBuffer(queue, mem, CL_FALSE, 0, SIZE, data, 0, NULL, NULL));
		CHECK_OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, 0, NULL, &event));
		CHECK_OK(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, SIZE, data, 1, &event, NULL));
		for (cl_uint i = 0; i < COUNT; i++)
			right &= data[i] == number * 1000000 + round * 1000 + i + v;
		CHECK(right);
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
}

static void *own_queue(void *arg)
{
	struct job *job = arg;
	cl_command_queue queue = cl_queue(job->env, 0);

	rounds(job->env, queue, program, job->number);
	CHECK_OK(clReleaseCommandQueue(queue));
	return NULL;
}

static void *same_queue(void *arg)
{
	struct job *job = arg;

	rounds(job->env, job->env->queue, program, job->number);
	return NULL;
}

static void *own_context(void *arg)
{
	struct job *job = arg;
	struct cl_env env;
	cl_program own;

	cl_env_open(&env);
	own = cl_build(&env, source, NULL);
	rounds(&env, env.queue, own, job->number);
	CHECK_OK(clReleaseProgram(own));
	cl_env_close(&env);
	return NULL;
}

/* Objects of all kinds come and go in every thread. */
static void *churn(void *arg)
{
	struct job *job = arg;
	struct cl_env *env = job->env;
	const char zero = 0;

	for (int i = 0; i < 100; i++) {
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096 + (size_t)i * 64, NULL);
		cl_command_queue queue = cl_queue(env, i & 1 ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0);
		cl_event event = NULL, user = clCreateUserEvent(env->ctx, NULL);

		CHECK_OK(clRetainContext(env->ctx));
		CHECK_OK(clEnqueueFillBuffer(queue, mem, &zero, 1, 0, 4096, 1, &user, &event));
		CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
		CHECK_OK(clReleaseMemObject(mem));
		CHECK_OK(clWaitForEvents(1, &event));
		CHECK_OK(clReleaseEvent(event));
		CHECK_OK(clReleaseEvent(user));
		CHECK_OK(clReleaseCommandQueue(queue));
		CHECK_OK(clReleaseContext(env->ctx));
	}
	return NULL;
}

static void *count_up(void *arg)
{
	struct job *job = arg;
	cl_kernel kernel = cl_kernel_new(program, "count");
	size_t items = 64;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(job->shared), &job->shared));
	for (int i = 0; i < 20; i++)
		CHECK_OK(clEnqueueNDRangeKernel(job->env->queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(job->env->queue));
	CHECK_OK(clReleaseKernel(kernel));
	return NULL;
}

static void queue_each(struct cl_env *env)
{
	run_all(env, NULL, own_queue);
}

static void one_queue(struct cl_env *env)
{
	run_all(env, NULL, same_queue);
}

static void context_each(struct cl_env *env)
{
	run_all(env, NULL, own_context);
}

static void objects_come_and_go(struct cl_env *env)
{
	run_all(env, NULL, churn);
}

static void shared_counter(struct cl_env *env)
{
	cl_uint total = 0;
	cl_mem mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(total), &total);

	run_all(env, mem, count_up);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(total), &total, 0, NULL, NULL));
	CHECK_EQ(total, THREADS * 20 * 64);
	CHECK_OK(clReleaseMemObject(mem));
}

static void *wait_for_gate(void *arg)
{
	struct job *job = arg;
	cl_event gate = (cl_event)(void *)job->shared;

	CHECK_OK(clWaitForEvents(1, &gate));
	return NULL;
}

/* All threads sleep on one event; one call wakes them all. */
static void one_event_for_all(struct cl_env *env)
{
	cl_event gate = clCreateUserEvent(env->ctx, NULL);
	pthread_t threads[THREADS];
	struct job job = { .env = env, .shared = (cl_mem)(void *)gate };

	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, wait_for_gate, &job) == 0);
	cl_sleep_ms(20);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK_OK(clReleaseEvent(gate));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(queue_each), CL_CASE(one_queue), CL_CASE(context_each),
		CL_CASE(objects_come_and_go), CL_CASE(shared_counter), CL_CASE(one_event_for_all), CL_CASE(teardown),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
