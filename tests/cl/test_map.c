/* SPDX-License-Identifier: MIT */
/* Map and unmap: addresses, several maps, parts, counts, order, errors. */
#include "cl_test.h"

#define SIZE (1 << 20)

static void *map(struct cl_env *env, cl_mem mem, cl_map_flags flags, size_t offset, size_t size)
{
	cl_int err = -1;
	void *p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, flags, offset, size, 0, NULL, NULL, &err);

	CHECK_OK(err);
	CHECK(p);
	return p;
}

static void unmap(struct cl_env *env, cl_mem mem, void *p)
{
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
}

static cl_uint map_count(cl_mem mem)
{
	return GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT);
}

static void write_then_read(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *out = calloc(1, SIZE);
	void *p = map(env, mem, CL_MAP_WRITE, 0, SIZE);

	REQUIRE(p);
	cl_pattern(p, SIZE, 1);
	unmap(env, mem, p);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, SIZE, 1));
	p = map(env, mem, CL_MAP_READ, 0, SIZE);
	CHECK(p && cl_pattern_is(p, SIZE, 1));
	unmap(env, mem, p);
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

/* A part begins at its offset; bytes outside of it stay. */
static void parts(struct cl_env *env)
{
	static const size_t offsets[] = { 0, 1, 64, 4095, 4096, 65537, SIZE - 100 };
	const unsigned char zero = 0;
	unsigned char *out = calloc(1, SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	for (unsigned int i = 0; i < COUNT_OF(offsets); i++) {
		size_t end = offsets[i] + 100;
		unsigned char *p;

		CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 1, 0, SIZE, 0, NULL, NULL));
		p = map(env, mem, CL_MAP_WRITE_INVALIDATE_REGION, offsets[i], 100);
		REQUIRE(p);
		cl_pattern(p, 100, i);
		unmap(env, mem, p);
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		CHECK(cl_pattern_is(out + offsets[i], 100, i));
		CHECK(cl_all_bytes(out, offsets[i], 0) && cl_all_bytes(out + end, SIZE - end, 0));
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

static void several_at_once(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *maps[8], *out = calloc(1, SIZE);

	CHECK_EQ(map_count(mem), 0);
	for (unsigned int i = 0; i < COUNT_OF(maps); i++) {
		maps[i] = map(env, mem, CL_MAP_WRITE, i * 4096, 4096);
		REQUIRE(maps[i]);
		CHECK_EQ(map_count(mem), i + 1);
		cl_pattern(maps[i], 4096, i);
	}
	for (unsigned int i = 0; i < COUNT_OF(maps); i++) {
		unmap(env, mem, maps[i]);
		CHECK_OK(clFinish(env->queue));
		CHECK_EQ(map_count(mem), COUNT_OF(maps) - 1 - i);
	}
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	for (unsigned int i = 0; i < COUNT_OF(maps); i++)
		CHECK(cl_pattern_is(out + i * 4096, 4096, i));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

/* Two read maps of one place: the same address, unmapped once for each. */
static void same_place_twice(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	void *a = map(env, mem, CL_MAP_READ, 4096, 4096), *b = map(env, mem, CL_MAP_READ, 4096, 4096);

	CHECK_EQ(map_count(mem), 2);
	CHECK(a == b);
	unmap(env, mem, a);
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(map_count(mem), 1);
	unmap(env, mem, b);
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(map_count(mem), 0);
	CHECK_ERR(clEnqueueUnmapMemObject(env->queue, mem, a, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_OK(clReleaseMemObject(mem));
}

/* The same memory behind each map of a buffer: no copy is made. */
static void addresses_agree(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *whole = map(env, mem, CL_MAP_READ, 0, SIZE);
	unsigned char *part = map(env, mem, CL_MAP_READ, 12345, 100);

	CHECK(part == whole + 12345);
	CHECK_EQ((uintptr_t)whole % 128, 0);
	unmap(env, mem, whole);
	unmap(env, mem, part);
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A non-blocking map gives its address at once, its contents with the event. */
static void non_blocking(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), filled = NULL, mapped = NULL, unmapped = NULL;
	const unsigned char byte = 0x5c;
	cl_int err = -1;
	unsigned char *p;

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &byte, 1, 0, SIZE, 1, &gate, &filled));
	p = clEnqueueMapBuffer(env->queue, mem, CL_FALSE, CL_MAP_READ, 0, SIZE, 0, NULL, &mapped, &err);
	CHECK_OK(err);
	REQUIRE(p);
	CHECK(GET_INFO(cl_int, clGetEventInfo, mapped, CL_EVENT_COMMAND_EXECUTION_STATUS) != CL_COMPLETE);
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &mapped));
	CHECK(cl_all_bytes(p, SIZE, byte));
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 1, &mapped, &unmapped));
	CHECK_OK(clWaitForEvents(1, &unmapped));
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, mapped, CL_EVENT_COMMAND_TYPE), CL_COMMAND_MAP_BUFFER);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, unmapped, CL_EVENT_COMMAND_TYPE),
		 CL_COMMAND_UNMAP_MEM_OBJECT);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(filled));
	CHECK_OK(clReleaseEvent(mapped));
	CHECK_OK(clReleaseEvent(unmapped));
	CHECK_OK(clReleaseMemObject(mem));
}

static void map_errors(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_mem foreign = clCreateBuffer(ctx, CL_MEM_READ_WRITE, SIZE, NULL, NULL);
	cl_command_queue q = env->queue;
	cl_int err;

	CHECK_FAILS(err, clEnqueueMapBuffer(NULL, mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_COMMAND_QUEUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, NULL, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_MEM_OBJECT);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, foreign, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, mem, CL_TRUE, CL_MAP_READ, 0, SIZE + 1, 0, NULL, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, mem, CL_TRUE, CL_MAP_READ, 1, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, mem, CL_TRUE, CL_MAP_READ, SIZE_MAX, 2, 0, NULL, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, mem, CL_TRUE, CL_MAP_READ, 0, 0, 0, NULL, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 1, NULL, NULL, &err),
		    CL_INVALID_EVENT_WAIT_LIST);
	CHECK_EQ(map_count(mem), 0);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(foreign));
	CHECK_OK(clReleaseContext(ctx));
}

/* The native driver takes flags that exclude each other, or that nobody knows: so does a virtual device. */
static void map_odd_flags(struct cl_env *env)
{
	static const cl_map_flags odd[] = { CL_MAP_READ | CL_MAP_WRITE_INVALIDATE_REGION,
					    CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION, (cl_map_flags)1 << 40 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		cl_int err = 1;
		void *p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, odd[i], 0, SIZE, 0, NULL, NULL, &err);

		CHECK_OK(err);
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
}

static void unmap_errors(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), other = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *p = map(env, mem, CL_MAP_READ, 0, 4096);
	cl_command_queue q = env->queue;

	CHECK_ERR(clEnqueueUnmapMemObject(NULL, mem, p, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueUnmapMemObject(q, NULL, p, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueUnmapMemObject(q, mem, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueUnmapMemObject(q, mem, p + 1, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueUnmapMemObject(q, other, p, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueUnmapMemObject(q, mem, p, 1, NULL, NULL), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_EQ(map_count(mem), 1);
	unmap(env, mem, p);
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(other));
}

static void released_while_mapped(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *p = map(env, mem, CL_MAP_READ | CL_MAP_WRITE, 0, SIZE);

	CHECK_OK(clRetainMemObject(mem));
	CHECK_OK(clReleaseMemObject(mem));
	cl_pattern(p, SIZE, 5);
	CHECK(cl_pattern_is(p, SIZE, 5));
	unmap(env, mem, p);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clFinish(env->queue));
}

static void thousand_rounds(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);

	for (cl_uint i = 0; i < 1000; i++) {
		cl_uint *p = map(env, mem, CL_MAP_READ | CL_MAP_WRITE, 0, 4096);

		REQUIRE(p);
		CHECK(i == 0 || p[i - 1] == i);
		p[i] = i + 1;
		unmap(env, mem, p);
	}
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(map_count(mem), 0);
	CHECK_OK(clReleaseMemObject(mem));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(write_then_read), CL_CASE(parts), CL_CASE(several_at_once), CL_CASE(same_place_twice),
		CL_CASE(addresses_agree), CL_CASE(non_blocking), CL_CASE(map_errors), CL_CASE(map_odd_flags), CL_CASE(unmap_errors),
		CL_CASE(released_while_mapped), CL_CASE(thousand_rounds), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
