// SPDX-License-Identifier: MIT
/*
 * idle: a program with an open context that has computed something and now
 * waits. Prints "ready" and ends when its standard input does; bench/idle looks
 * at it from outside meanwhile.
 */
#include <stdio.h>
#include <unistd.h>

#include "measure.h"

static const char source[] =
	"kernel void fill(global float *data) { data[get_global_id(0)] = sqrt((float)get_global_id(0)); }\n";

int main(void)
{
	const size_t count = 1 << 20;
	struct bench b;
	cl_int err;
	char byte;

	bench_open(&b);
	cl_kernel kernel = bench_kernel(&b, source, "fill");
	cl_mem mem = clCreateBuffer(b.context, CL_MEM_READ_WRITE, count * sizeof(cl_float), NULL, &err);
	bench_check(err, "clCreateBuffer");
	bench_check(clSetKernelArg(kernel, 0, sizeof(mem), &mem), "clSetKernelArg");
	bench_check(clEnqueueNDRangeKernel(b.queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL), "launch");
	bench_check(clFinish(b.queue), "clFinish");

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
	bench_close(&b);
	return 0;
}
