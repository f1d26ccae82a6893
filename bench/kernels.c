// SPDX-License-Identifier: MIT
/*
 * kernels: kernels that take long, in milliseconds (an addition of 16 Mi floats, a product of two matrices of 512), and
 * short ones beside them on a second queue, in launches a second.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

static const char source[] =
	"kernel void add(global const float *a, global const float *b, global float *c)\n"
	"{\n"
	"	size_t i = get_global_id(0);\n"
	"	c[i] = a[i] + b[i];\n"
	"}\n"
	"kernel void multiply(global const float *a, global const float *b, global float *c)\n"
	"{\n"
	"	size_t x = get_global_id(0), y = get_global_id(1), n = get_global_size(0);\n"
	"	float sum = 0;\n"
	"	for (size_t k = 0; k < n; k++)\n"
	"		sum += a[y * n + k] * b[k * n + x];\n"
	"	c[y * n + x] = sum;\n"
	"}\n"
	"kernel void bump(global int *a) { a[get_global_id(0)] += 1; }\n";

enum { ITEMS = 16 << 20, SIDE = 512, ROUNDS = 15, MIXES = 5, LONG_IN_MIX = 10, SHORT_IN_MIX = 40 };

static cl_mem buffer_of(const struct bench *b, size_t len)
{
	const float value = 1;
	cl_int err;
	cl_mem mem = clCreateBuffer(b->context, CL_MEM_READ_WRITE, len, NULL, &err);

	bench_check(err, "clCreateBuffer");
	bench_check(clEnqueueFillBuffer(b->queue, mem, &value, sizeof(value), 0, len, 0, NULL, NULL), "fill");
	return mem;
}

static cl_kernel kernel_of(const struct bench *b, const char *name, cl_mem mem[3], cl_uint nr_args)
{
	cl_kernel kernel = bench_kernel(b, source, name);

	for (cl_uint i = 0; i < nr_args; i++)
		bench_check(clSetKernelArg(kernel, i, sizeof(mem[i]), &mem[i]), "clSetKernelArg");
	return kernel;
}

static void measure(const struct bench *b, const char *name, cl_kernel kernel, cl_uint dims, const size_t *global,
		    const size_t *local)
{
	double samples[ROUNDS];

	for (int i = -2; i < ROUNDS; i++) {
		uint64_t start = bench_now_ns();

		bench_check(clEnqueueNDRangeKernel(b->queue, kernel, dims, NULL, global, local, 0, NULL, NULL), "launch");
		bench_check(clFinish(b->queue), "clFinish");
		if (i >= 0)
			samples[i] = (double)(bench_now_ns() - start) / 1e6;
	}
	bench_print(name, bench_quantile(samples, ROUNDS, 0.5));
}

static void launch_short(cl_command_queue queue, cl_kernel quick)
{
	const size_t few = 64;

	bench_check(clEnqueueNDRangeKernel(queue, quick, 1, NULL, &few, &few, 0, NULL, NULL), "launch");
	bench_check(clFinish(queue), "clFinish");
}

/* Long kernels on one queue, all launched at once; the last one's event is the caller's. */
static cl_event launch_long(const struct bench *b, cl_kernel slow)
{
	const size_t side[2] = { SIDE, SIDE }, group[2] = { 16, 16 };
	cl_event last;

	for (int n = 0; n < LONG_IN_MIX; n++)
		bench_check(clEnqueueNDRangeKernel(b->queue, slow, 2, NULL, side, group, 0, NULL,
						   n == LONG_IN_MIX - 1 ? &last : NULL), "launch");
	bench_check(clFlush(b->queue), "clFlush");
	return last;
}

/* Some long kernels, and some short ones on a second queue, each waited for: until all are done. */
static void measure_mix(const struct bench *b, cl_command_queue other, cl_kernel slow, cl_kernel quick)
{
	double times[MIXES];

	for (int i = -1; i < MIXES; i++) {
		uint64_t start = bench_now_ns();
		cl_event last = launch_long(b, slow);

		for (int n = 0; n < SHORT_IN_MIX; n++)
			launch_short(other, quick);
		bench_check(clFinish(b->queue), "clFinish");
		clReleaseEvent(last);
		if (i >= 0)
			times[i] = (double)(bench_now_ns() - start) / 1e6;
	}
	bench_print("mix_ms", bench_quantile(times, MIXES, 0.5));
}

/* The same, but short ones as fast as they are answered, as long as the long ones take. */
static void measure_flood(const struct bench *b, cl_command_queue other, cl_kernel slow, cl_kernel quick)
{
	double rates[MIXES], times[MIXES];

	for (int i = -1; i < MIXES; i++) {
		uint64_t start = bench_now_ns();
		cl_event last = launch_long(b, slow);
		cl_int status = CL_QUEUED;
		double nr = 0;

		for (; status > CL_COMPLETE; nr++) {
			launch_short(other, quick);
			bench_check(clGetEventInfo(last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
				    "clGetEventInfo");
		}
		bench_check(status, "the long kernel");
		clReleaseEvent(last);
		if (i < 0)
			continue;
		times[i] = (double)(bench_now_ns() - start) / 1e6;
		rates[i] = nr / times[i];
	}
	bench_print("flood_long_ms", bench_quantile(times, MIXES, 0.5) / LONG_IN_MIX);
	bench_print("flood_short_rate", bench_quantile(rates, MIXES, 0.5));
}

int main(void)
{
	const size_t items = ITEMS, side[2] = { SIDE, SIDE }, group[2] = { 16, 16 };
	cl_mem large[3], square[3];
	cl_command_queue other;
	struct bench b;
	cl_int err;

	bench_open(&b);
	other = clCreateCommandQueue(b.context, b.device, 0, &err);
	bench_check(err, "clCreateCommandQueue");
	for (int i = 0; i < 3; i++) {
		large[i] = buffer_of(&b, ITEMS * sizeof(float));
		square[i] = buffer_of(&b, (size_t)SIDE * SIDE * sizeof(float));
	}
	cl_kernel add = kernel_of(&b, "add", large, 3), multiply = kernel_of(&b, "multiply", square, 3);
	cl_kernel bump = kernel_of(&b, "bump", large, 1);

	measure(&b, "add_ms", add, 1, &items, NULL);
	measure(&b, "multiply_ms", multiply, 2, side, group);
	measure_mix(&b, other, multiply, bump);
	measure_flood(&b, other, multiply, bump);
	clReleaseCommandQueue(other);
	for (int i = 0; i < 3; i++) {
		clReleaseMemObject(large[i]);
		clReleaseMemObject(square[i]);
	}
	clReleaseKernel(add);
	clReleaseKernel(multiply);
	clReleaseKernel(bump);
	bench_close(&b);
	return 0;
}
