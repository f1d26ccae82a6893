// SPDX-License-Identifier: MIT
/*
 * guest batch|stream DEPTH LAUNCHES WORK: launches a kernel of one item that does WORK steps.  batch: DEPTH of them, then
 * clFinish, again and again; stream: always DEPTH on their way, the oldest is waited for by its event.  Prints microseconds
 * a launch.  Who counts what a launch costs runs it twice and takes the difference, so that starting does not count.
 *
 * guest map BYTES: writes a buffer on the device, maps it, looks at each page, unmaps it.  Prints milliseconds and how
 * much private memory the process gained.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

enum { MAX_DEPTH = 1024, PAGE = 4096 };

static const char source[] = "kernel void work(global uint *out, uint steps)\n"
			     "{\n"
			     "	uint x = out[0];\n"
			     "	for (uint i = 0; i < steps; i++)\n"
			     "		x = x * 1664525u + 1013904223u;\n"
			     "	out[0] = x;\n"
			     "}\n";

static void launch(const struct bench *b, cl_kernel kernel, cl_event *event)
{
	const size_t one = 1;

	bench_check(clEnqueueNDRangeKernel(b->queue, kernel, 1, NULL, &one, &one, 0, NULL, event), "launch");
}

static void run_batches(const struct bench *b, cl_kernel kernel, unsigned int depth, unsigned int launches)
{
	for (unsigned int done = 0; done < launches; done += depth) {
		for (unsigned int i = 0; i < depth; i++)
			launch(b, kernel, NULL);
		bench_check(clFinish(b->queue), "clFinish");
	}
}

static void run_stream(const struct bench *b, cl_kernel kernel, unsigned int depth, unsigned int launches)
{
	cl_event events[MAX_DEPTH] = { 0 };

	for (unsigned int i = 0; i < launches; i++) {
		cl_event *oldest = &events[i % depth];

		if (*oldest) {
			bench_check(clWaitForEvents(1, oldest), "clWaitForEvents");
			clReleaseEvent(*oldest);
		}
		launch(b, kernel, oldest);
	}
	bench_check(clFinish(b->queue), "clFinish");
	for (unsigned int i = 0; i < depth; i++)
		if (events[i])
			clReleaseEvent(events[i]);
}

static void measure_launches(const struct bench *b, const char *how, unsigned int depth, unsigned int launches, cl_uint steps)
{
	cl_kernel kernel = bench_kernel(b, source, "work");
	cl_mem out = clCreateBuffer(b->context, CL_MEM_READ_WRITE, PAGE, NULL, NULL);
	uint64_t start;

	bench_check(clSetKernelArg(kernel, 0, sizeof(out), &out), "clSetKernelArg");
	bench_check(clSetKernelArg(kernel, 1, sizeof(steps), &steps), "clSetKernelArg");
	launch(b, kernel, NULL);
	bench_check(clFinish(b->queue), "clFinish");
	start = bench_now_ns();
	if (!strcmp(how, "batch"))
		run_batches(b, kernel, depth, launches);
	else
		run_stream(b, kernel, depth, launches);
	bench_print("launch_us", (double)(bench_now_ns() - start) / 1e3 / launches);
	clReleaseMemObject(out);
	clReleaseKernel(kernel);
}

/* Of /proc/self/status, in KiB. */
static unsigned long private_memory(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void measure_map(const struct bench *b, size_t bytes)
{
	const cl_uint pattern = 0x5a5a1234;
	cl_mem buffer = clCreateBuffer(b->context, CL_MEM_READ_WRITE, bytes, NULL, NULL);
	unsigned long before;
	char *p;
	uint64_t start;
	cl_int status;

	bench_check(clEnqueueFillBuffer(b->queue, buffer, &pattern, sizeof(pattern), 0, bytes, 0, NULL, NULL), "fill");
	bench_check(clFinish(b->queue), "clFinish");
	before = private_memory();
	start = bench_now_ns();
	p = clEnqueueMapBuffer(b->queue, buffer, CL_TRUE, CL_MAP_READ, 0, bytes, 0, NULL, NULL, &status);
	bench_check(status, "clEnqueueMapBuffer");
	bench_print("map_ms", (double)(bench_now_ns() - start) / 1e6);
	start = bench_now_ns();
	for (size_t at = 0; at < bytes; at += PAGE)
		if (memcmp(p + at, &pattern, sizeof(pattern)) != 0)
			bench_check(CL_INVALID_VALUE, "the bytes of the map");
	bench_print("touch_ms", (double)(bench_now_ns() - start) / 1e6);
	bench_print("private_kib", (double)private_memory() - (double)before);
	bench_check(clEnqueueUnmapMemObject(b->queue, buffer, p, 0, NULL, NULL), "unmap");
	bench_check(clFinish(b->queue), "clFinish");
	clReleaseMemObject(buffer);
}

static unsigned int number(const char *text, unsigned int max)
{
	unsigned long value = strtoul(text, NULL, 10);

	return value < 1 ? 1 : value > max ? max : (unsigned int)value;
}

int main(int argc, char **argv)
{
	struct bench b;
	uint64_t start = bench_now_ns();
	cl_platform_id platform;
	cl_device_id device;

	if (argc == 2 && !strcmp(argv[1], "ids")) {
		bench_check(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
		bench_check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
		bench_print("ids_ms", (double)(bench_now_ns() - start) / 1e6);
		return 0;
	}
	if (argc != 3 && argc != 5) {
		fprintf(stderr, "usage: guest batch|stream DEPTH LAUNCHES WORK | guest map BYTES | guest ids\n");
		return 2;
	}
	bench_open(&b);
	if (argc == 3)
		measure_map(&b, strtoull(argv[2], NULL, 10));
	else
		measure_launches(&b, argv[1], number(argv[2], MAX_DEPTH), number(argv[3], 1u << 30), number(argv[4], 1u << 30));
	bench_close(&b);
	return 0;
}
