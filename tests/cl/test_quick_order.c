/* SPDX-License-Identifier: MIT */
/*
 * Short and long kernels mixed: a device may run them in different ways, and a
 * program must not be able to tell. Each case first launches what is short
 * until a device has had every occasion to find that out.
 */
#include <stdatomic.h>

#include "cl_test.h"

#define ITEMS 64
#define WARM_MS 1500	/* compilers may be busy meanwhile */
#define ROUNDS 300

/* All work of a kernel depends on the order: x -> x * 3 + add, modulo 2^32. */
static const char source[] =
	"__kernel void advance(__global uint *p, uint add) { size_t i = get_global_id(0); p[i] = p[i] * 3 + add; }\n"
	"__kernel void slow(__global uint *p, uint add, uint rounds)\n"
	"{ size_t i = get_global_id(0); uint v = p[i]; uint w = v;\n"
	"  for (uint r = 0; r < rounds; r++) w = (w ^ r) * 1664525u + (w >> 7);\n"
	"  p[i] = v * 3 + add + (rounds >> 31 ? w : 0); }\n"
	"__kernel void by_data(__global uint *p, __global const uint *rounds)\n"
	"{ size_t i = get_global_id(0); uint w = p[i], n = rounds[0];\n"
	"  for (uint r = 0; r < n; r++) w = (w ^ r) * 1664525u + (w >> 7);\n"
	"  p[i] = p[i] * 3 + 1 + (n >> 31 ? w : 0); }\n"
	"__kernel void sizes(__global uint *p)\n"
	"{ size_t i = get_global_id(0) + get_global_size(0) * (get_global_id(1) + get_global_size(1) * get_global_id(2));\n"
	"  p[i] = get_local_size(0) + 1000 * get_local_size(1) + 1000000 * get_local_size(2); }\n"
	"__kernel void shifted(__global uint *p) { p[get_global_id(0) - get_global_offset(0)] += get_global_offset(0); }\n";

static cl_program program;
static cl_kernel step, slow;
static cl_mem mem;

static void launch(cl_command_queue queue, cl_kernel kernel, cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	const size_t global = ITEMS, local = 16;

	CHECK_OK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, &local, nr_waits, waits, event));
}

static void set_uint(cl_kernel kernel, cl_uint index, cl_uint value)
{
	CHECK_OK(clSetKernelArg(kernel, index, sizeof(value), &value));
}

static cl_uint one_step(cl_command_queue queue, cl_uint value, cl_uint add, cl_event *event)
{
	set_uint(step, 1, add);
	launch(queue, step, 0, NULL, event);
	return value * 3 + add;
}

static cl_uint one_slow(cl_command_queue queue, cl_uint value, cl_uint add, cl_uint rounds)
{
	set_uint(slow, 1, add);
	set_uint(slow, 2, rounds);
	launch(queue, slow, 0, NULL, NULL);
	return value * 3 + add;
}

static void zero(cl_command_queue queue)
{
	const cl_uint pattern = 0;

	CHECK_OK(clEnqueueFillBuffer(queue, mem, &pattern, sizeof(pattern), 0, ITEMS * sizeof(pattern), 0, NULL, NULL));
}

static bool all_are(cl_command_queue queue, cl_uint value)
{
	cl_uint got[ITEMS];
	bool same = true;

	CHECK_OK(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (size_t i = 0; i < ITEMS; i++)
		same &= got[i] == value;
	return same;
}

static void setup(struct cl_env *env)
{
	double start = cl_now();
	cl_uint value = 0, nr = 0;

	program = cl_build(env, source, NULL);
	step = cl_kernel_new(program, "advance");
	slow = cl_kernel_new(program, "slow");
	mem = cl_buffer(env, CL_MEM_READ_WRITE, ITEMS * sizeof(cl_uint), NULL);
	CHECK_OK(clSetKernelArg(step, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(slow, 0, sizeof(mem), &mem));
	zero(env->queue);
	while (cl_now() - start < WARM_MS / 1e3) {
		value = one_step(env->queue, value, nr++, NULL);
		value = one_slow(env->queue, value, nr, 10);
		CHECK_OK(clFinish(env->queue));
		cl_sleep_ms(1);
	}
	CHECK(all_are(env->queue, value));
}

/* Scalars that change, a slow one now and then, transfers between. */
static void mixed_in_order(struct cl_env *env)
{
	cl_uint value = 0;

	zero(env->queue);
	for (cl_uint i = 0; i < ROUNDS; i++) {
		value = one_step(env->queue, value, i, NULL);
		if (i % 7 == 3)
			value = one_slow(env->queue, value, i, 20000);
		if (i % 50 == 49) {
			zero(env->queue);
			value = 0;
		}
		if (i % 11 == 5)
			CHECK_OK(clFinish(env->queue));
	}
	CHECK(all_are(env->queue, value));
}

static void streams(struct cl_env *env)
{
	for (int round = 0; round < 5; round++) {
		cl_uint value = 0;

		zero(env->queue);
		value = one_slow(env->queue, value, 1, 200000);
		for (cl_uint i = 0; i < 5000; i++)
			value = one_step(env->queue, value, i, NULL);
		CHECK(all_are(env->queue, value));
	}
}

/* Each launch on the other queue, with the event of the one before. */
static void two_queues(struct cl_env *env)
{
	cl_command_queue queues[] = { env->queue, cl_queue(env, CL_QUEUE_PROFILING_ENABLE) };
	cl_uint value = 0;
	cl_event last = NULL;

	zero(env->queue);
	CHECK_OK(clFinish(env->queue));
	for (cl_uint i = 0; i < ROUNDS; i++) {
		cl_kernel kernel = i % 5 ? step : slow;
		cl_event next;

		set_uint(kernel, 1, i);
		if (kernel == slow)
			set_uint(slow, 2, 5000);
		launch(queues[i % 2], kernel, last != NULL, last ? &last : NULL, &next);
		CHECK_OK(clFlush(queues[i % 2]));
		value = value * 3 + i;
		if (last)
			CHECK_OK(clReleaseEvent(last));
		last = next;
	}
	CHECK_OK(clWaitForEvents(1, &last));
	CHECK_OK(clReleaseEvent(last));
	CHECK(all_are(env->queue, value));
	CHECK_OK(clReleaseCommandQueue(queues[1]));
}

static void out_of_order(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_uint value = 0;

	zero(env->queue);
	CHECK_OK(clFinish(env->queue));
	for (cl_uint i = 0; i < ROUNDS; i++) {
		value = i % 6 ? one_step(queue, value, i, NULL) : one_slow(queue, value, i, 5000);
		CHECK_OK(clEnqueueBarrierWithWaitList(queue, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(queue));
	CHECK(all_are(env->queue, value));
	CHECK_OK(clReleaseCommandQueue(queue));
}

/* What waits for the program must not run before it. */
static void user_events(struct cl_env *env)
{
	for (int i = 0; i < 50; i++) {
		cl_event gate = clCreateUserEvent(env->ctx, NULL), event, after;
		cl_int status;

		zero(env->queue);
		set_uint(step, 1, 5);
		launch(env->queue, step, 1, &gate, &event);
		set_uint(step, 1, 7);
		launch(env->queue, step, 0, NULL, &after);
		CHECK_OK(clFlush(env->queue));
		status = GET_INFO(cl_int, clGetEventInfo, after, CL_EVENT_COMMAND_EXECUTION_STATUS);
		CHECK(status > CL_COMPLETE);
		CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clWaitForEvents(1, &after));
		CHECK(all_are(env->queue, 22));
		CHECK_OK(clReleaseEvent(gate));
		CHECK_OK(clReleaseEvent(event));
		CHECK_OK(clReleaseEvent(after));
	}
}

static cl_ulong time_of(cl_event event, cl_profiling_info what)
{
	return GET_INFO(cl_ulong, clGetEventProfilingInfo, event, what);
}

static void times(struct cl_env *env)
{
	cl_ulong before = 0;

	for (cl_uint i = 0; i < 200; i++) {
		cl_ulong queued, submit, start, end;
		cl_event event;

		one_step(env->queue, 0, i, &event);
		CHECK_OK(clWaitForEvents(1, &event));
		queued = time_of(event, CL_PROFILING_COMMAND_QUEUED);
		submit = time_of(event, CL_PROFILING_COMMAND_SUBMIT);
		start = time_of(event, CL_PROFILING_COMMAND_START);
		end = time_of(event, CL_PROFILING_COMMAND_END);
		CHECK(before <= start && queued <= submit && submit <= start && start <= end);
		before = end;
		CHECK_OK(clReleaseEvent(event));
	}
}

static _Atomic uint32_t nr_called;

static void CL_CALLBACK called(cl_event event, cl_int status, void *arg)
{
	(void)event;
	(void)arg;
	if (status == CL_COMPLETE)
		atomic_fetch_add(&nr_called, 1);
}

static void callbacks(struct cl_env *env)
{
	double start = cl_now();

	for (cl_uint i = 0; i < 200; i++) {
		cl_event event;

		one_step(env->queue, 0, i, &event);
		CHECK_OK(clSetEventCallback(event, CL_COMPLETE, called, NULL));
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clFinish(env->queue));
	while (atomic_load(&nr_called) < 200 && cl_now() - start < 10)
		cl_sleep_ms(1);
	CHECK_EQ(atomic_load(&nr_called), 200);
}

/* Short for long enough to be believed, then not, then short again. */
static void time_by_data(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "by_data");
	cl_mem rounds = cl_buffer(env, CL_MEM_READ_ONLY, sizeof(cl_uint), NULL);
	cl_uint value = 0;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(rounds), &rounds));
	zero(env->queue);
	for (cl_uint i = 0; i < 600; i++) {
		cl_uint n = i % 200 < 150 ? 1 : 100000;

		CHECK_OK(clEnqueueWriteBuffer(env->queue, rounds, CL_TRUE, 0, sizeof(n), &n, 0, NULL, NULL));
		launch(env->queue, kernel, 0, NULL, NULL);
		value = value * 3 + 1;
	}
	CHECK(all_are(env->queue, value));
	CHECK_OK(clReleaseMemObject(rounds));
	CHECK_OK(clReleaseKernel(kernel));
}

/* The local size that the device chooses is the same, however it runs the kernel. */
static void chosen_sizes(struct cl_env *env)
{
	static const size_t shapes[][3] = {
		{ 64, 1, 1 }, { 1, 1, 1 }, { 7, 1, 1 }, { 100, 1, 1 }, { 1024, 1, 1 }, { 4099, 1, 1 }, { 8192, 1, 1 },
		{ 16, 16, 1 }, { 12, 30, 1 }, { 128, 64, 1 }, { 5, 7, 9 }, { 16, 16, 16 }, { 32, 32, 32 }, { 96, 2, 3 },
	};
	cl_kernel kernel = cl_kernel_new(program, "sizes");
	cl_mem out = cl_buffer(env, CL_MEM_READ_WRITE, 32 * 32 * 32 * sizeof(cl_uint), NULL);

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(out), &out));
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		cl_uint first = 0, differ = 0;

		for (int n = 0; n < 200; n++) {
			cl_uint got;

			CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 3, NULL, shapes[i], NULL, 0, NULL, NULL));
			CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, sizeof(got), &got, 0, NULL, NULL));
			first = n ? first : got;
			differ += got != first;
		}
		CHECK_EQ(differ, 0);
		printf("%zux%zux%zu: %u\n", shapes[i][0], shapes[i][1], shapes[i][2], first);
	}
	CHECK_OK(clReleaseMemObject(out));
	CHECK_OK(clReleaseKernel(kernel));
}

static void offsets(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "shifted");
	const size_t global = ITEMS;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	zero(env->queue);
	for (size_t i = 0; i < ROUNDS; i++) {
		const size_t offset = i % 3;

		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, &offset, &global, NULL, 0, NULL, NULL));
		CHECK_OK(clFinish(env->queue));
	}
	CHECK(all_are(env->queue, ROUNDS));
	CHECK_OK(clReleaseKernel(kernel));
}

/* Arguments of a launch that is behind others are those of its call; a buffer may go as soon as it is launched with. */
static void arguments(struct cl_env *env)
{
	cl_uint value = 0;

	zero(env->queue);
	for (cl_uint i = 0; i < 100; i++) {
		cl_mem other = cl_buffer(env, CL_MEM_READ_WRITE, ITEMS * sizeof(cl_uint), NULL);

		value = one_slow(env->queue, value, i, 20000);
		CHECK_OK(clSetKernelArg(step, 0, sizeof(other), &other));
		one_step(env->queue, 0, 99, NULL);
		CHECK_OK(clReleaseMemObject(other));
		CHECK_OK(clSetKernelArg(step, 0, sizeof(mem), &mem));
		value = one_step(env->queue, value, i + 1, NULL);
	}
	CHECK(all_are(env->queue, value));
}

static const char waiting_source[] =
	"__kernel void waits(__global volatile uint *p) { while (p[0] == 0) ; }\n"
	"__kernel void frees(__global volatile uint *p) { p[0] = 1; }\n";

/* One that was always short, because what it waits for was there, and then has to wait for a kernel that comes later. */
static void waiting(struct cl_env *env)
{
	cl_command_queue other = cl_queue(env, 0);
	cl_program waiting_program = cl_build(env, waiting_source, "");
	cl_kernel waits = cl_kernel_new(waiting_program, "waits"), frees = cl_kernel_new(waiting_program, "frees");
	const size_t one = 1;
	double start = cl_now();

	if (GET_INFO(cl_uint, clGetDeviceInfo, env->device, CL_DEVICE_MAX_COMPUTE_UNITS) < 2)
		return;
	CHECK_OK(clSetKernelArg(waits, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(frees, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, frees, 1, NULL, &one, NULL, 0, NULL, NULL));
	while (cl_now() - start < WARM_MS / 1000.0) {
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, waits, 1, NULL, &one, NULL, 0, NULL, NULL));
		CHECK_OK(clFinish(env->queue));
	}
	for (int i = 0; i < 20; i++) {
		zero(env->queue);
		CHECK_OK(clFinish(env->queue));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, waits, 1, NULL, &one, NULL, 0, NULL, NULL));
		CHECK_OK(clFlush(env->queue));
		CHECK_OK(clEnqueueNDRangeKernel(other, frees, 1, NULL, &one, NULL, 0, NULL, NULL));
		CHECK_OK(clFinish(other));
		CHECK_OK(clFinish(env->queue));
	}
	CHECK_OK(clReleaseKernel(waits));
	CHECK_OK(clReleaseKernel(frees));
	CHECK_OK(clReleaseProgram(waiting_program));
	CHECK_OK(clReleaseCommandQueue(other));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(mixed_in_order), CL_CASE(streams), CL_CASE(two_queues), CL_CASE(out_of_order),
		CL_CASE(user_events), CL_CASE(times), CL_CASE(callbacks), CL_CASE(time_by_data), CL_CASE(chosen_sizes),
		CL_CASE(offsets), CL_CASE(arguments), CL_CASE(waiting), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
