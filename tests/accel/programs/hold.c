/* SPDX-License-Identifier: MIT */
/* hold DEVICE MIB FILE: takes that much of a device, makes FILE, and keeps it all until FILE is gone. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEVICES 16

static cl_device_id find_device(unsigned int number)
{
	cl_device_id devices[MAX_DEVICES];
	cl_platform_id platform;
	cl_uint nr = 0;

	if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &nr) ||
	    number >= nr) {
		printf("there is no device %u\n", number);
		exit(77);
	}
	return devices[number];
}

static int hold(const char *path)
{
	int fd = creat(path, 0600);

	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	while (!access(path, F_OK))
		usleep(20000);
	return 0;
}

int main(int argc, char **argv)
{
	cl_device_id device;
	cl_ulong all = 0;
	cl_context ctx;
	cl_mem mem;
	cl_int err;

	if (argc != 4) {
		fprintf(stderr, "usage: hold DEVICE MIB FILE\n");
		return 2;
	}
	device = find_device((unsigned int)atoi(argv[1]));
	clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(all), &all, NULL);
	ctx = clCreateContext(NULL, 1, &device, NULL, NULL, &err);
	mem = err ? NULL : clCreateBuffer(ctx, CL_MEM_READ_WRITE, (size_t)atoi(argv[2]) << 20, NULL, &err);
	printf("device %s has %llu MiB; %s MiB: %d\n", argv[1], (unsigned long long)all >> 20, argv[2], err);
	fflush(stdout);
	if (err || hold(argv[3]))
		return 1;
	clReleaseMemObject(mem);
	clReleaseContext(ctx);
	return 0;
}
