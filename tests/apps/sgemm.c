// SPDX-License-Identifier: MIT
/*
 * SGEMM with CLBlast: one product, or one after the other. The matrices hold small whole numbers, so every
 * partial sum is exact in float32 and the result must equal the integer
 * product whatever the order of the additions is.
 *
 *   sgemm            one product
 *   sgemm SECONDS    products for so long, or until Ctrl-C; each second it says how many there have been
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <clblast_c.h>

enum { N = 512, BYTES = sizeof(float) * N * N, DEPTH = 4 };

struct sgemm {
	cl_context context;
	cl_command_queue queue;
	float *a, *b, *c; /* c: the product, once it was checked */
	cl_mem mem_a, mem_b;
};

/* A product under way: several of them at a time leave the device no pause. */
struct turn {
	cl_mem mem;
	float *host;
	cl_event done;
};

static volatile sig_atomic_t is_over;

static void end(int number)
{
	(void)number;
	is_over = 1;
}

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

static cl_mem new_matrix(struct sgemm *s, float **ret_host)
{
	cl_int err;
	cl_mem mem = clCreateBuffer(s->context, CL_MEM_READ_WRITE, BYTES, NULL, &err);

	check(err, "clCreateBuffer");
	*ret_host = calloc(1, BYTES);
	check(!*ret_host, "calloc");
	return mem;
}

static void init(struct sgemm *s)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_int err;

	check(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
	check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
	s->context = clCreateContext(NULL, 1, &device, NULL, NULL, &err);
	check(err, "clCreateContext");
	s->queue = clCreateCommandQueue(s->context, device, 0, &err);
	check(err, "clCreateCommandQueue");
	s->mem_a = new_matrix(s, &s->a);
	s->mem_b = new_matrix(s, &s->b);
	fill(s->a, 1);
	fill(s->b, 2);
	check(clEnqueueWriteBuffer(s->queue, s->mem_a, CL_TRUE, 0, BYTES, s->a, 0, NULL, NULL), "write");
	check(clEnqueueWriteBuffer(s->queue, s->mem_b, CL_TRUE, 0, BYTES, s->b, 0, NULL, NULL), "write");
}

static void finish(struct sgemm *s)
{
	clReleaseMemObject(s->mem_a);
	clReleaseMemObject(s->mem_b);
	free(s->a);
	free(s->b);
	free(s->c);
	clReleaseCommandQueue(s->queue);
	clReleaseContext(s->context);
}

static void begin_turn(struct sgemm *s, struct turn *t)
{
	check(CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeNo, N, N, N, 1.0f,
			   s->mem_a, 0, N, s->mem_b, 0, N, 0.0f, t->mem, 0, N, &s->queue, NULL), "CLBlastSgemm");
	check(clEnqueueReadBuffer(s->queue, t->mem, CL_FALSE, 0, BYTES, t->host, 0, NULL, &t->done), "read");
	check(clFlush(s->queue), "clFlush");
}

static void end_turn(struct turn *t)
{
	check(clWaitForEvents(1, &t->done), "clWaitForEvents");
	clReleaseEvent(t->done);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Return: how many products were not the first one again. */
static size_t repeat(struct sgemm *s, struct turn turns[DEPTH], double seconds)
{
	double start = now(), said = start;
	size_t begun = 0, ended = 0, wrong = 0;

	while (ended < begun || (!is_over && now() - start < seconds)) {
		for (; begun < ended + DEPTH && !is_over && now() - start < seconds; begun++)
			begin_turn(s, &turns[begun % DEPTH]);
		end_turn(&turns[ended % DEPTH]);
		wrong += memcmp(turns[ended % DEPTH].host, s->c, BYTES) != 0;
		ended++;
		if (now() - said >= 1 || ended == begun) {
			printf("products %zu wrong %zu\n", ended, wrong);
			fflush(stdout);
			said = now();
		}
	}
	return wrong;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
	struct turn turns[DEPTH] = { 0 };
	struct sgemm s = { 0 };
	size_t wrong;

	signal(SIGINT, end);
	init(&s);
	for (int i = 0; i < DEPTH; i++)
		turns[i].mem = new_matrix(&s, &turns[i].host);
	begin_turn(&s, &turns[0]);
	end_turn(&turns[0]);
	s.c = turns[0].host;
	turns[0].host = calloc(1, BYTES);
	check(!turns[0].host, "calloc");

	wrong = wrong_elements(s.a, s.b, s.c);
	printf("sgemm %dx%d: %zu wrong elements, digest %016llx\n", N, N, wrong, (unsigned long long)digest(s.c, BYTES));
	fflush(stdout);
	wrong += repeat(&s, turns, seconds);

	for (int i = 0; i < DEPTH; i++) {
		clReleaseMemObject(turns[i].mem);
		free(turns[i].host);
	}
	finish(&s);
	return wrong ? 1 : 0;
}
