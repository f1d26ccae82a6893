/* SPDX-License-Identifier: MIT */
/*
 * load SECONDS [FILE]: builds, allocates, launches, maps and lets go, again and again, and checks each result; one context stays
 * all the time.  FILE is made after the first round; who removes it says that time is over.  Exit status: 0: time was over and
 * all was right, 1: a wrong result, 3: an error of OpenCL's, which is told.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT 16384
#define LAUNCHES 20

static const char source[] = "__kernel void add(__global int *p, int n) { p[get_global_id(0)] += n; }\n";

struct load {
	cl_device_id device;
	cl_context ctx;
	cl_command_queue queue;
	cl_program program;
	cl_kernel kernel;
	cl_mem mem;
};

static void check(cl_int err, const char *what)
{
	if (!err)
		return;
	printf("%s: %d\n", what, err);
	exit(3);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(struct load *l)
{
	cl_platform_id platform;
	cl_int err;

	check(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
	check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &l->device, NULL), "clGetDeviceIDs");
	l->ctx = clCreateContext(NULL, 1, &l->device, NULL, NULL, &err);
	check(err, "clCreateContext");
	l->queue = clCreateCommandQueueWithProperties(l->ctx, l->device, NULL, &err);
	check(err, "clCreateCommandQueueWithProperties");
	l->program = clCreateProgramWithSource(l->ctx, 1, (const char *[]){ source }, NULL, &err);
	check(err, "clCreateProgramWithSource");
	check(clBuildProgram(l->program, 1, &l->device, "", NULL, NULL), "clBuildProgram");
	l->kernel = clCreateKernel(l->program, "add", &err);
	check(err, "clCreateKernel");
	l->mem = clCreateBuffer(l->ctx, CL_MEM_READ_WRITE, COUNT * sizeof(cl_int), NULL, &err);
	check(err, "clCreateBuffer");
}

static void end(struct load *l)
{
	check(clFinish(l->queue), "clFinish");
	check(clReleaseMemObject(l->mem), "clReleaseMemObject");
	check(clReleaseKernel(l->kernel), "clReleaseKernel");
	check(clReleaseProgram(l->program), "clReleaseProgram");
	check(clReleaseCommandQueue(l->queue), "clReleaseCommandQueue");
	check(clReleaseContext(l->ctx), "clReleaseContext");
}

static void launch_all(struct load *l)
{
	const size_t count = COUNT;
	const cl_int zero = 0;

	check(clEnqueueFillBuffer(l->queue, l->mem, &zero, sizeof(zero), 0, COUNT * sizeof(zero), 0, NULL, NULL), "clEnqueueFillBuffer");
	check(clSetKernelArg(l->kernel, 0, sizeof(l->mem), &l->mem), "clSetKernelArg");
	for (cl_int i = 1; i <= LAUNCHES; i++) {
		check(clSetKernelArg(l->kernel, 1, sizeof(i), &i), "clSetKernelArg");
		check(clEnqueueNDRangeKernel(l->queue, l->kernel, 1, NULL, &count, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
	}
}

static void check_all(struct load *l)
{
	cl_int err, *p = clEnqueueMapBuffer(l->queue, l->mem, CL_TRUE, CL_MAP_READ, 0, COUNT * sizeof(cl_int), 0, NULL, NULL, &err);

	check(err, "clEnqueueMapBuffer");
	for (int i = 0; i < COUNT; i++) {
		if (p[i] == LAUNCHES * (LAUNCHES + 1) / 2)
			continue;
		/* What is lost reads as anything: the error comes with the next wait. */
		check(clEnqueueUnmapMemObject(l->queue, l->mem, p, 0, NULL, NULL), "clEnqueueUnmapMemObject");
		check(clFinish(l->queue), "clFinish");
		printf("element %d is %d\n", i, p[i]);
		exit(1);
	}
	check(clEnqueueUnmapMemObject(l->queue, l->mem, p, 0, NULL, NULL), "clEnqueueUnmapMemObject");
}

static void compute(struct load *l)
{
	launch_all(l);
	check_all(l);
}

int main(int argc, char **argv)
{
	double until = now() + (argc > 1 ? atof(argv[1]) : 1);
	unsigned int rounds = 0;
	struct load all;

	setvbuf(stdout, NULL, _IOLBF, 0);
	begin(&all);
	do {
		struct load l;

		begin(&l);
		for (int i = 0; i < 5 && now() < until; i++)
			compute(&l);
		end(&l);
		compute(&all);
		if (!rounds++ && argc > 2)
			close(creat(argv[2], 0600));
	} while (now() < until && (argc <= 2 || !access(argv[2], F_OK)));
	end(&all);
	printf("%u rounds, all right\n", rounds);
	return 0;
}
