// SPDX-License-Identifier: MIT
/*
 * One SGEMM with CLBlast. The matrices hold small whole numbers, so every
 * partial sum is exact in float32 and the result must equal the integer
 * product whatever the order of the additions is.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <clblast_c.h>

enum { N = 512 };

static void check(int status, const char *what)
{
	if (status) {
		fprintf(stderr, "sgemm: %s: error %d\n", what, status);
		exit(1);
	}
}

static void fill(float *m, uint32_t seed)
{
	for (size_t i = 0; i < (size_t)N * N; i++) {
		seed = seed * 1664525u + 1013904223u;
		m[i] = (float)((int)(seed >> 24) % 9 - 4);
	}
}

static size_t wrong_elements(const float *a, const float *b, const float *c)
{
	size_t wrong = 0;
	int32_t row[N];

	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++)
			row[j] = 0;
		for (size_t k = 0; k < N; k++)
			for (size_t j = 0; j < N; j++)
				row[j] += (int32_t)a[i * N + k] * (int32_t)b[k * N + j];
		for (size_t j = 0; j < N; j++)
			wrong += c[i * N + j] != (float)row[j];
	}
	return wrong;
}

static uint64_t digest(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

int main(void)
{
	const size_t bytes = sizeof(float) * N * N;
	float *host[3];
	cl_mem mem[3];
	cl_platform_id platform;
	cl_device_id device;
	cl_event done;
	cl_int err;

	check(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
	check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
	cl_context ctx = clCreateContext(NULL, 1, &device, NULL, NULL, &err);
	check(err, "clCreateContext");
	cl_command_queue queue = clCreateCommandQueue(ctx, device, 0, &err);
	check(err, "clCreateCommandQueue");

	for (int i = 0; i < 3; i++) {
		host[i] = calloc(1, bytes);
		check(!host[i], "calloc");
		mem[i] = clCreateBuffer(ctx, CL_MEM_READ_WRITE, bytes, NULL, &err);
		check(err, "clCreateBuffer");
	}
	fill(host[0], 1);
	fill(host[1], 2);
	for (int i = 0; i < 3; i++)
		check(clEnqueueWriteBuffer(queue, mem[i], CL_TRUE, 0, bytes, host[i], 0, NULL, NULL), "write");

	check(CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, N, N, N, 1.0f,
			   mem[0], 0, N, mem[1], 0, N, 0.0f, mem[2], 0, N, &queue, &done), "CLBlastSgemm");
	check(clWaitForEvents(1, &done), "clWaitForEvents");
	clReleaseEvent(done);
	check(clEnqueueReadBuffer(queue, mem[2], CL_TRUE, 0, bytes, host[2], 0, NULL, NULL), "read");

	size_t wrong = wrong_elements(host[0], host[1], host[2]);
	printf("sgemm %dx%d: %zu wrong elements, digest %016llx\n", N, N, wrong,
	       (unsigned long long)digest(host[2], bytes));

	for (int i = 0; i < 3; i++) {
		clReleaseMemObject(mem[i]);
		free(host[i]);
	}
	clReleaseCommandQueue(queue);
	clReleaseContext(ctx);
	return wrong ? 1 : 0;
}
