/* SPDX-License-Identifier: MIT */
/* Copy and fill of buffers: contents, overlap, bounds, pattern sizes. */
#include "cl_test.h"

#define SIZE 65536

static void copies(struct cl_env *env)
{
	static const struct {
		size_t from, to, size;
	} list[] = { { 0, 0, SIZE }, { 1, 3, 5 }, { 4095, 17, 4098 }, { SIZE - 1, 0, 1 }, { 0, SIZE - 7, 7 } };
	unsigned char *in = malloc(SIZE), *out = malloc(SIZE);
	cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), b = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const unsigned char fill = 0x33;

	cl_pattern(in, SIZE, 1);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, a, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		size_t end = list[i].to + list[i].size;

		CHECK_OK(clEnqueueFillBuffer(env->queue, b, &fill, 1, 0, SIZE, 0, NULL, NULL));
		CHECK_OK(clEnqueueCopyBuffer(env->queue, a, b, list[i].from, list[i].to, list[i].size, 0, NULL,
					     NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, b, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		CHECK(memcmp(out + list[i].to, in + list[i].from, list[i].size) == 0);
		CHECK(cl_all_bytes(out, list[i].to, fill));
		CHECK(cl_all_bytes(out + end, SIZE - end, fill));
	}
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	free(in);
	free(out);
}

static void copy_within(struct cl_env *env)
{
	unsigned char *in = malloc(SIZE), *out = malloc(SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_command_queue q = env->queue;

	cl_pattern(in, SIZE, 2);
	CHECK_OK(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	/* touching is not overlapping */
	CHECK_OK(clEnqueueCopyBuffer(q, mem, mem, 0, SIZE / 2, SIZE / 2, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(memcmp(out, in, SIZE / 2) == 0);
	CHECK(memcmp(out + SIZE / 2, in, SIZE / 2) == 0);
	CHECK_ERR(clEnqueueCopyBuffer(q, mem, mem, 0, SIZE / 2 - 1, SIZE / 2, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_ERR(clEnqueueCopyBuffer(q, mem, mem, 1, 0, 2, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_ERR(clEnqueueCopyBuffer(q, mem, mem, 8, 8, 8, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(out);
}

static void copy_errors(struct cl_env *env)
{
	cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), b = cl_buffer(env, CL_MEM_READ_WRITE, 100, NULL);
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_mem foreign = clCreateBuffer(ctx, CL_MEM_READ_WRITE, SIZE, NULL, NULL);
	cl_command_queue q = env->queue;

	CHECK_ERR(clEnqueueCopyBuffer(NULL, a, b, 0, 0, 1, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, NULL, b, 0, 0, 1, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, NULL, 0, 0, 1, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, 0, 0, 101, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, 0, 1, 100, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, SIZE, 0, 1, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, SIZE_MAX, 0, 2, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, 0, SIZE_MAX, 2, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, foreign, 0, 0, 1, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueCopyBuffer(q, foreign, a, 0, 0, 1, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueCopyBuffer(q, a, b, 0, 0, 1, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR_OR(clEnqueueCopyBuffer(q, a, b, 0, 0, 0, 0, NULL, NULL), CL_SUCCESS, CL_INVALID_VALUE);
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	CHECK_OK(clReleaseMemObject(foreign));
	CHECK_OK(clReleaseContext(ctx));
}

static void fill_every_pattern(struct cl_env *env)
{
	unsigned char pattern[128], *out = malloc(SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	cl_pattern(pattern, sizeof(pattern), 6);
	for (size_t size = 1; size <= sizeof(pattern); size *= 2) {
		size_t offset = size * 3, length = size * 5;
		const unsigned char zero = 0;
		bool right = true;

		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, NULL));
		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, pattern, size, offset, length, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		for (size_t i = 0; i < length; i++)
			right &= out[offset + i] == pattern[i % size];
		CHECK(right);
		CHECK(cl_all_bytes(out, offset, 0));
		CHECK(cl_all_bytes(out + offset + length, SIZE - offset - length, 0));
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

/* The pattern is copied at the call: the program's variable may change at once. */
static void fill_takes_a_copy(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), done = NULL;
	unsigned char byte = 0x11, *out = malloc(SIZE);

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 1, &gate, &done));
	byte = 0x99;
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, SIZE, 0x11));
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(done));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

static void fill_errors(struct cl_env *env)
{
	unsigned char pattern[256] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_command_queue q = env->queue;

	CHECK_ERR(clEnqueueFillBuffer(NULL, mem, pattern, 4, 0, 4, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueFillBuffer(q, NULL, pattern, 4, 0, 4, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, NULL, 4, 0, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 0, 0, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 3, 0, 3, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 256, 0, 256, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, 2, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, 0, 6, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, SIZE, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, 0, SIZE + 4, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, SIZE_MAX - 3, 8, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillBuffer(q, mem, pattern, 4, 0, 4, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR_OR(clEnqueueFillBuffer(q, mem, pattern, 4, 0, 0, 0, NULL, NULL), CL_SUCCESS, CL_INVALID_VALUE);
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(mem));
}

/* Copies along a chain of buffers keep their order. */
static void chain(struct cl_env *env)
{
	enum { LINKS = 50 };
	cl_mem mem[LINKS];
	unsigned char in[4096], out[4096] = { 0 };

	cl_pattern(in, sizeof(in), 77);
	for (size_t i = 0; i < LINKS; i++)
		mem[i] = cl_buffer(env, CL_MEM_READ_WRITE, sizeof(in), NULL);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem[0], CL_FALSE, 0, sizeof(in), in, 0, NULL, NULL));
	for (size_t i = 1; i < LINKS; i++)
		CHECK_OK(clEnqueueCopyBuffer(env->queue, mem[i - 1], mem[i], 0, 0, sizeof(in), 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem[LINKS - 1], CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, sizeof(out), 77));
	for (size_t i = 0; i < LINKS; i++)
		CHECK_OK(clReleaseMemObject(mem[i]));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(copies), CL_CASE(copy_within), CL_CASE(copy_errors), CL_CASE(fill_every_pattern),
		CL_CASE(fill_takes_a_copy), CL_CASE(fill_errors), CL_CASE(chain), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
