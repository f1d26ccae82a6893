// SPDX-License-Identifier: MIT
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bench_check(cl_int status, const char *what)
{
	if (status != CL_SUCCESS) {
		fprintf(stderr, "bench: %s: error %d\n", what, status);
		exit(1);
	}
}

void bench_open(struct bench *b)
{
	cl_platform_id platform;
	cl_int err;

	bench_check(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
	bench_check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &b->device, NULL), "clGetDeviceIDs");
	b->context = clCreateContext(NULL, 1, &b->device, NULL, NULL, &err);
	bench_check(err, "clCreateContext");
	b->queue = clCreateCommandQueue(b->context, b->device, 0, &err);
	bench_check(err, "clCreateCommandQueue");
}

void bench_close(struct bench *b)
{
	clReleaseCommandQueue(b->queue);
	clReleaseContext(b->context);
}

cl_kernel bench_kernel(const struct bench *b, const char *source, const char *name)
{
	cl_int err;
	cl_program program = clCreateProgramWithSource(b->context, 1, &source, NULL, &err);

	bench_check(err, "clCreateProgramWithSource");
	bench_check(clBuildProgram(program, 1, &b->device, "", NULL, NULL), "clBuildProgram");
	cl_kernel kernel = clCreateKernel(program, name, &err);
	bench_check(err, "clCreateKernel");
	/* The kernel holds the program. */
	clReleaseProgram(program);
	return kernel;
}

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_quantile(double *samples, size_t nr, double fraction)
{
	qsort(samples, nr, sizeof(*samples), compare_doubles);
	return samples[(size_t)((double)(nr - 1) * fraction + 0.5)];
}

void bench_print(const char *name, double value)
{
	printf("%s %.6g\n", name, value);
	fflush(stdout);
}

void bench_print_samples(const char *name, double *samples, size_t nr)
{
	printf("%s_min %.6g\n", name, bench_quantile(samples, nr, 0.0));
	printf("%s_p99 %.6g\n", name, bench_quantile(samples, nr, 0.99));
	bench_print(name, bench_quantile(samples, nr, 0.5));
}
