// SPDX-License-Identifier: MIT
/*
 * idle [N]: N programs (one by default), each with an open context that has
 * computed something and now waits. Prints "ready" and ends when its standard
 * input does; bench/idle looks at it from outside meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static const char source[] =
	"kernel void fill(global float *data) { data[get_global_id(0)] = sqrt((float)get_global_id(0)); }\n";

/* All but the first are children from before any OpenCL call; a child says that it is ready by a byte. */
static int start_others(int nr)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return -1;
	for (int i = 1; i < nr; i++)
		if (fork() == 0) {
			close(ready[0]);
			return ready[1];
		}
	close(ready[1]);
	for (int i = 1; i < nr; i++)
		if (read(ready[0], &byte, 1) != 1)
			exit(1);
	return -1;
}

int main(int argc, char **argv)
{
	int tell = argc > 1 ? start_others(atoi(argv[1])) : -1;
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

	if (tell < 0)
		puts("ready");
	else if (write(tell, "", 1) != 1)
		return 1;
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
	bench_close(&b);
	while (tell < 0 && wait(NULL) > 0)
		;
	return 0;
}
