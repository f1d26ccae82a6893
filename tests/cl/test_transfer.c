/* SPDX-License-Identifier: MIT */
/* Read and write of buffers: contents, bounds, errors, blocking or not. */
#include "cl_test.h"

#define SIZE (1 << 20)

static void round_trips(struct cl_env *env)
{
	static const struct {
		size_t offset, size;
	} list[] = { { 0, 1 }, { 0, 4 }, { 1, 1 }, { 3, 61 }, { 63, 2 }, { 0, 4096 }, { 4095, 2 }, { 4097, 8191 },
		     { SIZE - 1, 1 }, { SIZE - 100, 100 }, { 0, SIZE }, { 12345, 654321 } };
	unsigned char *in = malloc(SIZE), *out = malloc(SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	for (unsigned int i = 0; i < COUNT_OF(list); i++) {
		cl_pattern(in, list[i].size, i);
		memset(out, 0, SIZE);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, list[i].offset, list[i].size, in, 0, NULL,
					      NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, list[i].offset, list[i].size, out, 0, NULL,
					     NULL));
		CHECK(cl_pattern_is(out, list[i].size, i));
		CHECK(cl_all_bytes(out + list[i].size, SIZE - list[i].size, 0));
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(out);
}

static void errors(struct cl_env *env)
{
	static unsigned char buf[4096];
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
	cl_event none = NULL;
	cl_command_queue q = env->queue;

	CHECK_ERR(clEnqueueWriteBuffer(NULL, mem, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, NULL, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, 4097, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 4096, 1, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 1, 4096, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, SIZE_MAX, 2, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 1, SIZE_MAX, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, 4096, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, 4096, buf, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, 4096, buf, 0, &none, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, 4096, buf, 1, &none, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueReadBuffer(NULL, mem, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueReadBuffer(q, NULL, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, 4097, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBuffer(q, mem, CL_TRUE, SIZE_MAX, 2, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, 4096, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, 4096, buf, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_OK(clReleaseMemObject(mem));
}

static void size_zero(struct cl_env *env)
{
	unsigned char byte = 0;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);

	CHECK_ERR_OR(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, 0, &byte, 0, NULL, NULL), CL_SUCCESS,
		     CL_INVALID_VALUE);
	CHECK_ERR_OR(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 0, &byte, 0, NULL, NULL), CL_SUCCESS,
		     CL_INVALID_VALUE);
	CHECK_OK(clReleaseMemObject(mem));
}

static void other_context(struct cl_env *env)
{
	static unsigned char buf[4096];
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_mem mem = clCreateBuffer(ctx, CL_MEM_READ_WRITE, 4096, NULL, NULL);
	cl_event event = clCreateUserEvent(ctx, NULL);
	cl_mem own = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);

	REQUIRE(ctx && mem && event);
	CHECK_ERR(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, 4096, buf, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueReadBuffer(env->queue, own, CL_FALSE, 0, 4096, buf, 1, &event, NULL),
		  CL_INVALID_CONTEXT);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(own));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseContext(ctx));
}

/*
 * The program's memory belongs to a non-blocking write until its event is
 * complete, and to the program again from then on.
 */
static void non_blocking_writes(struct cl_env *env)
{
	static const size_t sizes[] = { 16, 4096, 65536, 1 << 20, 5 << 20 };

	for (unsigned int i = 0; i < COUNT_OF(sizes); i++) {
		unsigned char *buf = malloc(sizes[i]), *out = malloc(sizes[i]);
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, sizes[i], NULL);
		cl_event event = NULL;

		cl_pattern(buf, sizes[i], i);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_FALSE, 0, sizes[i], buf, 0, NULL, &event));
		CHECK_OK(clWaitForEvents(1, &event));
		memset(buf, 0xff, sizes[i]);
		free(buf);
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizes[i], out, 0, NULL, NULL));
		CHECK(cl_pattern_is(out, sizes[i], i));
		CHECK_OK(clReleaseEvent(event));
		CHECK_OK(clReleaseMemObject(mem));
		free(out);
	}
}

/* A stream of writes into one buffer from one block each, read back in order. */
static void non_blocking_stream(struct cl_env *env)
{
	enum { BLOCKS = 64, BLOCK = 32768 };
	unsigned char *in = malloc(BLOCKS * BLOCK), *out = calloc(BLOCKS, BLOCK);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, BLOCK, NULL);

	for (unsigned int i = 0; i < BLOCKS; i++) {
		cl_pattern(in + (size_t)i * BLOCK, BLOCK, i);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_FALSE, 0, BLOCK, in + (size_t)i * BLOCK, 0, NULL,
					      NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, 0, BLOCK, out + (size_t)i * BLOCK, 0, NULL,
					     NULL));
	}
	CHECK_OK(clFinish(env->queue));
	for (unsigned int i = 0; i < BLOCKS; i++)
		CHECK(cl_pattern_is(out + (size_t)i * BLOCK, BLOCK, i));
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(out);
}

/* A non-blocking read behind a user event changes nothing until it may run. */
static void non_blocking_read_waits(struct cl_env *env)
{
	static const size_t sizes[] = { 64, 8 << 20 };

	for (unsigned int i = 0; i < COUNT_OF(sizes); i++) {
		unsigned char *in = malloc(sizes[i]), *out = calloc(1, sizes[i]);
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, sizes[i], NULL);
		cl_event gate = clCreateUserEvent(env->ctx, NULL), done = NULL;

		cl_pattern(in, sizes[i], i);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, sizes[i], in, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, 0, sizes[i], out, 1, &gate, &done));
		CHECK_OK(clFlush(env->queue));
		cl_sleep_ms(20);
		CHECK(cl_all_bytes(out, sizes[i], 0));
		CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clWaitForEvents(1, &done));
		CHECK(cl_pattern_is(out, sizes[i], i));
		CHECK_OK(clReleaseEvent(gate));
		CHECK_OK(clReleaseEvent(done));
		CHECK_OK(clReleaseMemObject(mem));
		free(in);
		free(out);
	}
}

/* A write behind a user event takes the bytes that stand there when it runs or when it was enqueued. */
static void non_blocking_write_waits(struct cl_env *env)
{
	static const size_t sizes[] = { 64, 8 << 20 };

	for (unsigned int i = 0; i < COUNT_OF(sizes); i++) {
		unsigned char *in = malloc(sizes[i]), *out = calloc(1, sizes[i]);
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, sizes[i], NULL);
		cl_event gate = clCreateUserEvent(env->ctx, NULL), done = NULL;

		memset(in, 0, sizes[i]);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, sizes[i], in, 0, NULL, NULL));
		cl_pattern(in, sizes[i], 40 + i);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_FALSE, 0, sizes[i], in, 1, &gate, &done));
		CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizes[i], out, 0, NULL, NULL));
		CHECK(cl_pattern_is(out, sizes[i], 40 + i));
		CHECK_EQ(GET_INFO(cl_int, clGetEventInfo, done, CL_EVENT_COMMAND_EXECUTION_STATUS), CL_COMPLETE);
		CHECK_OK(clReleaseEvent(gate));
		CHECK_OK(clReleaseEvent(done));
		CHECK_OK(clReleaseMemObject(mem));
		free(in);
		free(out);
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(round_trips), CL_CASE(errors), CL_CASE(size_zero), CL_CASE(other_context),
		CL_CASE(non_blocking_writes), CL_CASE(non_blocking_stream), CL_CASE(non_blocking_read_waits),
		CL_CASE(non_blocking_write_waits), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
