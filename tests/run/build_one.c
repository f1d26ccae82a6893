/* SPDX-License-Identifier: MIT */
/* build_one SOURCE [OPTIONS [SECONDS]]: builds a text, runs its kernel k on one int, prints what came of it, and stays. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run(cl_context ctx, cl_device_id device, cl_program program)
{
	cl_command_queue queue = clCreateCommandQueueWithProperties(ctx, device, NULL, NULL);
	cl_mem mem = clCreateBuffer(ctx, CL_MEM_READ_WRITE, sizeof(cl_int), NULL, NULL);
	cl_int err, value = 0;
	cl_kernel kernel = clCreateKernel(program, "k", &err);
	const size_t one = 1;

	printf("kernel %d\n", err);
	if (err)
		return 1;
	clSetKernelArg(kernel, 0, sizeof(mem), &mem);
	printf("launch %d\n", clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
	err = clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(value), &value, 0, NULL, NULL);
	printf("value %d %d\n", err, value);
	clReleaseKernel(kernel);
	clReleaseMemObject(mem);
	clReleaseCommandQueue(queue);
	return 0;
}

int main(int argc, char **argv)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_context ctx;
	cl_program program;
	char log[4096] = "";
	cl_int err;

	if (argc < 2 || clGetPlatformIDs(1, &platform, NULL) ||
	    clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL))
		return 77;
	ctx = clCreateContext(NULL, 1, &device, NULL, NULL, &err);
	program = clCreateProgramWithSource(ctx, 1, (const char *[]){ argv[1] }, NULL, &err);
	err = clBuildProgram(program, 1, &device, argc > 2 ? argv[2] : "", NULL, NULL);
	clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
	printf("build %d\n%s\n", err, log);
	if (!err)
		run(ctx, device, program);
	fflush(stdout);
	if (argc > 3)
		sleep((unsigned int)atoi(argv[3]));
	clReleaseProgram(program);
	clReleaseContext(ctx);
	return 0;
}
