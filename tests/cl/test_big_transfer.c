/* SPDX-License-Identifier: MIT */
/* 300 MiB in and out: blocking, in pieces, by map, from buffer to buffer. */
#include "cl_test.h"

#define MIB ((size_t)1 << 20)
#define SIZE (300 * MIB)

/* One word per page would not see a shifted copy; all of it is checked, fast. */
static void number(uint64_t *p, uint64_t base)
{
	for (size_t i = 0; i < SIZE / 8; i++)
		p[i] = base + i;
}

static bool numbered(const uint64_t *p, uint64_t base)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < SIZE / 8; i++)
		wrong |= p[i] ^ (base + i);
	return wrong == 0;
}

static uint64_t *host;

static void need_room(struct cl_env *env)
{
	if (GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE) < SIZE ||
	    GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_GLOBAL_MEM_SIZE) < 2 * SIZE)
		cl_test_skip("the device has less than 600 MiB");
	host = malloc(SIZE);
	REQUIRE(host);
}

static void blocking(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	number(host, 7);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, host, 0, NULL, NULL));
	memset(host, 0, SIZE);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, host, 0, NULL, NULL));
	CHECK(numbered(host, 7));
	CHECK_OK(clReleaseMemObject(mem));
}

static void in_pieces(struct cl_env *env)
{
	const size_t piece = 7 * MIB + 123 * 8;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	number(host, 99);
	for (size_t at = 0; at < SIZE; at += piece) {
		size_t n = SIZE - at < piece ? SIZE - at : piece;

		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_FALSE, at, n, (char *)host + at, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(env->queue));
	memset(host, 0, SIZE);
	for (size_t at = 0; at < SIZE; at += piece) {
		size_t n = SIZE - at < piece ? SIZE - at : piece;

		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, at, n, (char *)host + at, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(env->queue));
	CHECK(numbered(host, 99));
	CHECK_OK(clReleaseMemObject(mem));
}

static void mapped_and_copied(struct cl_env *env)
{
	cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), b = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_int err = -1;
	uint64_t *p = clEnqueueMapBuffer(env->queue, a, CL_TRUE, CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);

	REQUIRE_OK(err);
	number(p, 3);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, a, p, 0, NULL, NULL));
	CHECK_OK(clEnqueueCopyBuffer(env->queue, a, b, 0, 0, SIZE, 0, NULL, NULL));
	p = clEnqueueMapBuffer(env->queue, b, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	CHECK(numbered(p, 3));
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, b, p, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	free(host);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(need_room), CL_CASE(blocking), CL_CASE(in_pieces), CL_CASE(mapped_and_copied),
		CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
