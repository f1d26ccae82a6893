/* SPDX-License-Identifier: MIT */
/* Callbacks that use the API themselves: what blocks, what builds, what lets the last reference go; from many threads. */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 16
#define SIZE 4096

struct work {
	struct cl_env *env;
	cl_command_queue queue; /* another one than the callback's command is in */
	cl_mem mem;
	cl_event event;
	atomic_int done;
	atomic_int failed;
};

static bool ends(atomic_int *done, int times)
{
	for (int i = 0; i < 4000 && atomic_load(done) < times; i++)
		cl_sleep_ms(5);
	return atomic_load(done) == times;
}

static void finish(struct work *w, bool good)
{
	if (!good)
		atomic_store(&w->failed, 1);
	atomic_fetch_add(&w->done, 1);
}

/* A command behind a gate calls fn when it completes; the test's thread opens the gate and waits for fn's end. */
static void from_a_callback(struct cl_env *env, void(CL_CALLBACK *fn)(cl_event, cl_int, void *))
{
	struct work w = { .env = env, .queue = cl_queue(env, 0), .mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL) };
	cl_event gate = clCreateUserEvent(env->ctx, NULL);
	const char three = 3;

	w.event = clCreateUserEvent(env->ctx, NULL);
	for (int i = 0; i < 3; i++) {
		cl_event event = NULL;

		REQUIRE_OK(clEnqueueFillBuffer(env->queue, w.mem, &three, 1, 0, SIZE, 1, &gate, &event));
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, fn, &w));
		CHECK_OK(clReleaseEvent(event));
		if (i == 0)
			CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clFlush(env->queue));
		CHECK(ends(&w.done, i + 1));
	}
	CHECK_EQ(atomic_load(&w.failed), 0);
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clFinish(w.queue));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(w.event));
	CHECK_OK(clReleaseMemObject(w.mem));
	CHECK_OK(clReleaseCommandQueue(w.queue));
}

static void CL_CALLBACK waits_for_more(cl_event event, cl_int status, void *user)
{
	struct work *w = user;
	const char four = 4;
	cl_event next = NULL;
	bool good = status == CL_COMPLETE && event;

	good = good && !clEnqueueFillBuffer(w->queue, w->mem, &four, 1, 0, SIZE, 0, NULL, &next);
	good = good && !clFlush(w->queue) && !clWaitForEvents(1, &next) && !clReleaseEvent(next);
	finish(w, good && !clFinish(w->queue));
}

static void CL_CALLBACK reads_and_maps(cl_event event, cl_int status, void *user)
{
	struct work *w = user;
	unsigned char out[SIZE];
	bool good = status == CL_COMPLETE && event;
	void *p;
	cl_int err;

	good = good && !clEnqueueReadBuffer(w->queue, w->mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL);
	good = good && cl_all_bytes(out, SIZE, 3);
	p = clEnqueueMapBuffer(w->queue, w->mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err);
	good = good && p && cl_all_bytes(p, SIZE, 3);
	finish(w, good && !clEnqueueUnmapMemObject(w->queue, w->mem, p, 0, NULL, NULL) && !clFinish(w->queue));
}

static void CL_CALLBACK builds(cl_event event, cl_int status, void *user)
{
	struct work *w = user;
	const char *text = "__kernel void nine(__global char *p) { p[get_global_id(0)] = 9; }\n";
	cl_program program = clCreateProgramWithSource(w->env->ctx, 1, &text, NULL, NULL);
	bool good = event && status == CL_COMPLETE && !clBuildProgram(program, 1, &w->env->device, NULL, NULL, NULL);
	cl_kernel kernel = good ? clCreateKernel(program, "nine", NULL) : NULL;
	unsigned char out[SIZE];
	size_t count = SIZE;

	good = good && kernel && !clSetKernelArg(kernel, 0, sizeof(w->mem), &w->mem) &&
	       !clEnqueueNDRangeKernel(w->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL) &&
	       !clEnqueueReadBuffer(w->queue, w->mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL) &&
	       cl_all_bytes(out, SIZE, 9) && !clReleaseKernel(kernel);
	finish(w, good && !clReleaseProgram(program));
}

/* A whole life of objects, and the last reference of what the callback's own command used. */
static void CL_CALLBACK comes_and_goes(cl_event event, cl_int status, void *user)
{
	struct work *w = user;
	cl_command_queue queue = clCreateCommandQueue(w->env->ctx, w->env->device, 0, NULL);
	cl_mem mem = clCreateBuffer(w->env->ctx, CL_MEM_READ_WRITE, SIZE, NULL, NULL);
	cl_event user_event = clCreateUserEvent(w->env->ctx, NULL), next = NULL;
	const char zero = 0;
	bool good = event && status == CL_COMPLETE && queue && mem && user_event;

	good = good && !clEnqueueFillBuffer(queue, mem, &zero, 1, 0, SIZE, 1, &user_event, &next) && !clFlush(queue);
	good = good && !clReleaseMemObject(mem) && !clSetUserEventStatus(user_event, CL_COMPLETE);
	good = good && !clWaitForEvents(1, &next) && !clReleaseEvent(next) && !clReleaseEvent(user_event);
	finish(w, good && !clReleaseCommandQueue(queue));
}

static void blocking_waits(struct cl_env *env)
{
	from_a_callback(env, waits_for_more);
}

static void blocking_transfers(struct cl_env *env)
{
	from_a_callback(env, reads_and_maps);
}

static void a_build(struct cl_env *env)
{
	from_a_callback(env, builds);
}

static void objects(struct cl_env *env)
{
	from_a_callback(env, comes_and_goes);
}

static void CL_CALLBACK lets_all_go(cl_event event, cl_int status, void *user)
{
	struct work *w = user;

	finish(w, status == CL_COMPLETE && !clReleaseEvent(event) && !clReleaseMemObject(w->mem) &&
			  !clReleaseCommandQueue(w->queue));
}

/* The program's references of event, buffer and queue are the callback's to release. */
static void the_last_references(struct cl_env *env)
{
	for (int i = 0; i < 20; i++) {
		struct work w = { .env = env, .queue = cl_queue(env, 0) };
		cl_event event = NULL;
		const char zero = 0;

		w.mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
		REQUIRE_OK(clEnqueueFillBuffer(w.queue, w.mem, &zero, 1, 0, SIZE, 0, NULL, &event));
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, lets_all_go, &w));
		REQUIRE(ends(&w.done, 1));
		CHECK_EQ(atomic_load(&w.failed), 0);
	}
}

static void CL_CALLBACK count(cl_event event, cl_int status, void *user)
{
	atomic_int *counts = user;

	if (event && status >= 0 && status <= 2)
		atomic_fetch_add(&counts[status], 1);
}

static struct cl_env *shared_env;
static atomic_int counts[3];

#define EVENTS 25

static void *listen(void *arg)
{
	cl_command_queue queue = cl_queue(shared_env, 0);
	cl_mem mem = cl_buffer(shared_env, CL_MEM_READ_WRITE, SIZE, NULL);
	const char zero = 0;

	(void)arg;
	for (int i = 0; i < EVENTS; i++) {
		cl_event event = NULL;

		CHECK_OK(clEnqueueFillBuffer(queue, mem, &zero, 1, 0, SIZE, 0, NULL, &event));
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, count, counts));
		CHECK_OK(clSetEventCallback(event, CL_RUNNING, count, counts));
		CHECK_OK(clSetEventCallback(event, CL_SUBMITTED, count, counts));
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clFinish(queue));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseCommandQueue(queue));
	return NULL;
}

/* Each registration is one call, at whichever moment of the command's life it comes. */
static void each_status_from_all_threads(struct cl_env *env)
{
	pthread_t threads[THREADS];

	shared_env = env;
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, listen, NULL) == 0);
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(ends(&counts[i], THREADS * EVENTS));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(blocking_waits), CL_CASE(blocking_transfers), CL_CASE(a_build), CL_CASE(objects),
		CL_CASE(the_last_references), CL_CASE(each_status_from_all_threads), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
