// SPDX-License-Identifier: MIT
/*
 * build NUMBER: builds a program of three kernels and launches each once, in milliseconds. The number is part of the
 * source: one that was never used before is compiled, one that was comes from whatever the driver keeps.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

static const char source[] =
	"#define NUMBER %lu\n"
	"kernel void scale(global float *a, float by) { a[get_global_id(0)] *= by + NUMBER; }\n"
	"kernel void blur(global const float *a, global float *b)\n"
	"{\n"
	"	size_t i = get_global_id(0), n = get_global_size(0);\n"
	"	float sum = 0;\n"
	"	for (int d = -4; d <= 4; d++)\n"
	"		sum += a[(i + n + d) %% n];\n"
	"	b[i] = sum / 9 + NUMBER;\n"
	"}\n"
	"kernel void total(global const float *a, global float *b, local float *part)\n"
	"{\n"
	"	size_t l = get_local_id(0);\n"
	"	part[l] = a[get_global_id(0)];\n"
	"	for (size_t step = get_local_size(0) / 2; step; step /= 2) {\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"		if (l < step)\n"
	"			part[l] += part[l + step];\n"
	"	}\n"
	"	if (l == 0)\n"
	"		b[get_group_id(0)] = part[0] + NUMBER;\n"
	"}\n";

enum { COUNT = 4096, GROUP = 64 };

static double ms_since(uint64_t start)
{
	return (double)(bench_now_ns() - start) / 1e6;
}

static void launch(const struct bench *b, cl_program program, const char *name, cl_mem in, cl_mem out)
{
	const size_t count = COUNT, group = GROUP;
	const float by = 2;
	cl_int err;
	cl_kernel kernel = clCreateKernel(program, name, &err);

	bench_check(err, "clCreateKernel");
	bench_check(clSetKernelArg(kernel, 0, sizeof(in), &in), "clSetKernelArg");
	if (name[0] == 's')
		bench_check(clSetKernelArg(kernel, 1, sizeof(by), &by), "clSetKernelArg");
	else
		bench_check(clSetKernelArg(kernel, 1, sizeof(out), &out), "clSetKernelArg");
	if (name[0] == 't')
		bench_check(clSetKernelArg(kernel, 2, GROUP * sizeof(float), NULL), "clSetKernelArg");
	bench_check(clEnqueueNDRangeKernel(b->queue, kernel, 1, NULL, &count, &group, 0, NULL, NULL), "launch");
	bench_check(clFinish(b->queue), "clFinish");
	clReleaseKernel(kernel);
}

int main(int argc, char **argv)
{
	char text[sizeof(source) + 32];
	const char *lines = text;
	struct bench b;
	cl_mem mem[2];
	cl_int err;

	if (argc != 2) {
		fprintf(stderr, "usage: build NUMBER\n");
		return 2;
	}
	snprintf(text, sizeof(text), source, strtoul(argv[1], NULL, 10));
	bench_open(&b);
	for (int i = 0; i < 2; i++) {
		mem[i] = clCreateBuffer(b.context, CL_MEM_READ_WRITE, COUNT * sizeof(float), NULL, &err);
		bench_check(err, "clCreateBuffer");
	}
	bench_check(clFinish(b.queue), "clFinish");

	uint64_t start = bench_now_ns();
	cl_program program = clCreateProgramWithSource(b.context, 1, &lines, NULL, &err);
	bench_check(err, "clCreateProgramWithSource");
	bench_check(clBuildProgram(program, 1, &b.device, "", NULL, NULL), "clBuildProgram");
	bench_print("build_ms", ms_since(start));
	launch(&b, program, "scale", mem[0], mem[1]);
	launch(&b, program, "blur", mem[0], mem[1]);
	launch(&b, program, "total", mem[0], mem[1]);
	bench_print("results_ms", ms_since(start));

	clReleaseProgram(program);
	clReleaseMemObject(mem[0]);
	clReleaseMemObject(mem[1]);
	bench_close(&b);
	return 0;
}
