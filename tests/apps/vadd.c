// SPDX-License-Identifier: MIT
/*
 * vadd [INDEX]: add two vectors on one device and check every sum.
 * vadd --list:  the devices as INDEX, platform and device name.
 *
 * INDEX counts through all devices of all platforms, in the loader's order, as
 * `clinfo -l` shows them and as `tranche run --host-device` counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

enum { COUNT = 4096, MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

static const char source[] =
	"kernel void vadd(global const int *a, global const int *b, global int *c)\n"
	"{\n"
	"	size_t i = get_global_id(0);\n"
	"	c[i] = a[i] + 3 * b[i];\n"
	"}\n";

static void check(cl_int status, const char *what)
{
	if (status) {
		fprintf(stderr, "vadd: %s: error %d\n", what, status);
		exit(1);
	}
}

static cl_uint find_devices(cl_device_id *devices)
{
	cl_platform_id platforms[MAX_PLATFORMS];
	cl_uint nr_platforms = 0, nr = 0;

	check(clGetPlatformIDs(MAX_PLATFORMS, platforms, &nr_platforms), "clGetPlatformIDs");
	for (cl_uint i = 0; i < nr_platforms && i < MAX_PLATFORMS && nr < MAX_DEVICES; i++) {
		cl_uint found = 0;

		if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, MAX_DEVICES - nr, devices + nr, &found) == CL_SUCCESS)
			nr += found;
	}
	return nr < MAX_DEVICES ? nr : MAX_DEVICES;
}

static void print_device(cl_uint index, cl_device_id device)
{
	char platform_name[256], name[256];
	cl_platform_id platform;

	check(clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof(platform), &platform, NULL), "CL_DEVICE_PLATFORM");
	check(clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(platform_name), platform_name, NULL), "name");
	check(clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(name), name, NULL), "CL_DEVICE_NAME");
	printf("%u\t%s\t%s\n", index, platform_name, name);
}

static int add(cl_device_id device)
{
	static cl_int a[COUNT], b[COUNT], c[COUNT];
	const size_t count = COUNT;
	char version[256];
	cl_mem mem[3];
	cl_int err;

	for (int i = 0; i < COUNT; i++) {
		a[i] = i;
		b[i] = COUNT - i;
	}
	cl_context ctx = clCreateContext(NULL, 1, &device, NULL, NULL, &err);
	check(err, "clCreateContext");
	cl_command_queue queue = clCreateCommandQueue(ctx, device, 0, &err);
	check(err, "clCreateCommandQueue");
	cl_program program = clCreateProgramWithSource(ctx, 1, (const char *[]){source}, NULL, &err);
	check(err, "clCreateProgramWithSource");
	check(clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
	cl_kernel kernel = clCreateKernel(program, "vadd", &err);
	check(err, "clCreateKernel");

	mem[0] = clCreateBuffer(ctx, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof(a), a, &err);
	check(err, "clCreateBuffer");
	mem[1] = clCreateBuffer(ctx, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof(b), b, &err);
	check(err, "clCreateBuffer");
	mem[2] = clCreateBuffer(ctx, CL_MEM_WRITE_ONLY, sizeof(c), NULL, &err);
	check(err, "clCreateBuffer");
	for (cl_uint i = 0; i < 3; i++)
		check(clSetKernelArg(kernel, i, sizeof(mem[i]), &mem[i]), "clSetKernelArg");
	check(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
	check(clEnqueueReadBuffer(queue, mem[2], CL_TRUE, 0, sizeof(c), c, 0, NULL, NULL), "clEnqueueReadBuffer");

	int wrong = 0;
	for (int i = 0; i < COUNT; i++)
		wrong += c[i] != i + 3 * (COUNT - i);
	check(clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof(version), version, NULL), "CL_DEVICE_VERSION");
	printf("device version: %s\nvadd of %d elements: %d wrong\n", version, COUNT, wrong);

	for (int i = 0; i < 3; i++)
		clReleaseMemObject(mem[i]);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	clReleaseCommandQueue(queue);
	clReleaseContext(ctx);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	cl_device_id devices[MAX_DEVICES];
	cl_uint nr = find_devices(devices);

	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (cl_uint i = 0; i < nr; i++)
			print_device(i, devices[i]);
		return 0;
	}
	unsigned long index = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	if (index >= nr) {
		fprintf(stderr, "vadd: no device %lu, there are %u\n", index, nr);
		return 1;
	}
	return add(devices[index]);
}
