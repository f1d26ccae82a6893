// SPDX-License-Identifier: MIT
/*
 * copy: blocking writes and reads of 4 KiB to 256 MiB, map and unmap of 4 KiB
 * and 256 MiB in microseconds, and whether a map copies. The last is not a matter of
 * time: a map is in place when the pointer stays the same from map to map, and
 * when the memory behind it is the kernel's memory, seen through a pointer that
 * was mapped before the kernel ran.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#define MIB ((size_t)1 << 20)

enum { ROUNDS_TINY = 1000, ROUNDS_SMALL = 40, ROUNDS_LARGE = 7, ROUNDS_MAP = 40 };
#define KIB ((size_t)1 << 10)

static const char source[] =
	"kernel void bump(global uint *data) { data[get_global_id(0)] += 1; }\n";

static cl_mem buffer_of(const struct bench *b, size_t len)
{
	cl_int err;
	cl_mem mem = clCreateBuffer(b->context, CL_MEM_READ_WRITE, len, NULL, &err);

	bench_check(err, "clCreateBuffer");
	return mem;
}

static void measure_transfer(const struct bench *b, const char *size, size_t len, size_t rounds)
{
	double writes[ROUNDS_TINY], reads[ROUNDS_TINY];
	cl_mem mem = buffer_of(b, len);
	char *host = malloc(len);
	char name[64];

	if (!host)
		bench_check(CL_OUT_OF_HOST_MEMORY, "malloc");
	memset(host, 1, len);
	/* Round 0 pays the page faults of the new buffer, on both sides, and does not count. */
	for (size_t i = 0; i <= rounds; i++) {
		uint64_t start = bench_now_ns();

		bench_check(clEnqueueWriteBuffer(b->queue, mem, CL_TRUE, 0, len, host, 0, NULL, NULL), "write");
		uint64_t middle = bench_now_ns();
		bench_check(clEnqueueReadBuffer(b->queue, mem, CL_TRUE, 0, len, host, 0, NULL, NULL), "read");
		uint64_t end = bench_now_ns();
		if (!i)
			continue;
		writes[i - 1] = (double)len / (double)(middle - start);
		reads[i - 1] = (double)len / (double)(end - middle);
	}
	snprintf(name, sizeof(name), "write_%s_gbs", size);
	bench_print(name, bench_quantile(writes, rounds, 0.5));
	snprintf(name, sizeof(name), "write_%s_us", size);
	bench_print(name, (double)len / 1e3 / bench_quantile(writes, rounds, 0.5));
	snprintf(name, sizeof(name), "read_%s_gbs", size);
	bench_print(name, bench_quantile(reads, rounds, 0.5));
	snprintf(name, sizeof(name), "read_%s_us", size);
	bench_print(name, (double)len / 1e3 / bench_quantile(reads, rounds, 0.5));
	free(host);
	clReleaseMemObject(mem);
}

static void *map(const struct bench *b, cl_mem mem, size_t len)
{
	cl_int err;
	void *p = clEnqueueMapBuffer(b->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, len, 0, NULL, NULL, &err);

	bench_check(err, "clEnqueueMapBuffer");
	return p;
}

static void unmap(const struct bench *b, cl_mem mem, void *p)
{
	bench_check(clEnqueueUnmapMemObject(b->queue, mem, p, 0, NULL, NULL), "clEnqueueUnmapMemObject");
	bench_check(clFinish(b->queue), "clFinish");
}

static void measure_map(const struct bench *b, const char *size, size_t len)
{
	double maps[ROUNDS_MAP], unmaps[ROUNDS_MAP], both[ROUNDS_MAP];
	cl_mem mem = buffer_of(b, len);
	void *p = map(b, mem, len);
	char name[64];

	memset(p, 3, len);
	unmap(b, mem, p);
	for (size_t i = 0; i < ROUNDS_MAP; i++) {
		uint64_t start = bench_now_ns();

		p = map(b, mem, len);
		uint64_t middle = bench_now_ns();
		unmap(b, mem, p);
		uint64_t end = bench_now_ns();
		maps[i] = (double)(middle - start) / 1e3;
		unmaps[i] = (double)(end - middle) / 1e3;
		both[i] = (double)(end - start) / 1e3;
	}
	snprintf(name, sizeof(name), "map_%s_us", size);
	bench_print(name, bench_quantile(maps, ROUNDS_MAP, 0.5));
	snprintf(name, sizeof(name), "unmap_%s_us", size);
	bench_print(name, bench_quantile(unmaps, ROUNDS_MAP, 0.5));
	snprintf(name, sizeof(name), "map_unmap_%s_us", size);
	bench_print(name, bench_quantile(both, ROUNDS_MAP, 0.5));
	clReleaseMemObject(mem);
}

static void run_bump(const struct bench *b, cl_kernel kernel, cl_mem mem, size_t len)
{
	const size_t count = len / sizeof(cl_uint);

	bench_check(clSetKernelArg(kernel, 0, sizeof(mem), &mem), "clSetKernelArg");
	bench_check(clEnqueueNDRangeKernel(b->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL), "launch");
	bench_check(clFinish(b->queue), "clFinish");
}

static int all_equal(const volatile cl_uint *words, size_t count, cl_uint value)
{
	for (size_t i = 0; i < count; i++)
		if (words[i] != value)
			return 0;
	return 1;
}

static void check_in_place(const struct bench *b, size_t len)
{
	cl_kernel kernel = bench_kernel(b, source, "bump");
	cl_mem mem = buffer_of(b, len);
	const size_t count = len / sizeof(cl_uint);
	cl_uint *first = map(b, mem, len);

	for (size_t i = 0; i < count; i++)
		first[i] = 41;
	unmap(b, mem, first);
	run_bump(b, kernel, mem, len);
	cl_uint *second = map(b, mem, len);
	bench_print("map_pointer_stays", second == first);
	bench_print("map_shows_result", all_equal(second, count, 42));

	/*
	 * The buffer stays mapped here. The specification leaves what a mapped pointer shows of a kernel's writes
	 * open; memory that is shared shows them, and a copy that a map or unmap makes cannot.
	 */
	run_bump(b, kernel, mem, len);
	bench_print("map_in_place", all_equal(second, count, 43));
	unmap(b, mem, second);
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
}

int main(void)
{
	struct bench b;

	bench_open(&b);
	measure_transfer(&b, "4k", 4 * KIB, ROUNDS_TINY);
	measure_transfer(&b, "60k", 60 * KIB, ROUNDS_TINY);
	measure_transfer(&b, "1m", MIB, ROUNDS_SMALL);
	measure_transfer(&b, "16m", 16 * MIB, ROUNDS_SMALL);
	measure_transfer(&b, "256m", 256 * MIB, ROUNDS_LARGE);
	measure_map(&b, "4k", 4 * KIB);
	measure_map(&b, "256m", 256 * MIB);
	check_in_place(&b, 256 * MIB);
	bench_close(&b);
	return 0;
}
