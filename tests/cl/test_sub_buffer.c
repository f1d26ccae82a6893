/* SPDX-License-Identifier: MIT */
/* Sub-buffers: alignment, errors, inherited flags, contents that overlap. */
#include "cl_test.h"

#define SIZE 65536

static size_t base_align(struct cl_env *env)
{
	return GET_INFO(cl_uint, clGetDeviceInfo, env->device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
}

static cl_mem sub(cl_mem mem, cl_mem_flags flags, size_t origin, size_t size, cl_int *err)
{
	cl_buffer_region region = { origin, size };

	return clCreateSubBuffer(mem, flags, CL_BUFFER_CREATE_TYPE_REGION, &region, err);
}

static void errors(struct cl_env *env)
{
	cl_buffer_region region = { 0, 4096 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem child = sub(mem, 0, 0, 4096, NULL);
	size_t align = base_align(env);
	cl_int err;

	REQUIRE(child);
	CHECK_FAILS(err, sub(mem, 0, align / 2, 4096, &err), CL_MISALIGNED_SUB_BUFFER_OFFSET);
	CHECK_FAILS(err, sub(mem, 0, 1, 4096, &err), CL_MISALIGNED_SUB_BUFFER_OFFSET);
	CHECK_FAILS(err, sub(mem, 0, 0, SIZE + 1, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, sub(mem, 0, SIZE, align, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, sub(mem, 0, SIZE - align, align + 1, &err), CL_INVALID_VALUE);
	/* origin + size wraps around: the native driver takes it */
	if (!env->native)
		CHECK_FAILS(err, sub(mem, 0, align, SIZE_MAX - align + 1, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, sub(mem, 0, 0, 0, &err), CL_INVALID_BUFFER_SIZE);
	CHECK_FAILS(err, clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateSubBuffer(mem, 0, 0x7777, &region, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateSubBuffer(NULL, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err),
		    CL_INVALID_MEM_OBJECT);
	/* no grandchildren */
	CHECK_FAILS(err, sub(child, 0, 0, 1024, &err), CL_INVALID_MEM_OBJECT);
	CHECK_OK(clReleaseMemObject(child));
	CHECK_OK(clReleaseMemObject(mem));
}

static void flag_errors(struct cl_env *env)
{
	static const struct {
		cl_mem_flags parent, child;
	} list[] = {
		{ CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY },
		{ CL_MEM_READ_ONLY, CL_MEM_READ_WRITE },
		{ CL_MEM_WRITE_ONLY, CL_MEM_READ_ONLY },
		{ CL_MEM_WRITE_ONLY, CL_MEM_READ_WRITE },
		{ CL_MEM_READ_WRITE, CL_MEM_ALLOC_HOST_PTR },
		{ CL_MEM_READ_WRITE, CL_MEM_USE_HOST_PTR },
		{ CL_MEM_READ_WRITE, CL_MEM_COPY_HOST_PTR },
		{ CL_MEM_HOST_WRITE_ONLY, CL_MEM_HOST_READ_ONLY },
		{ CL_MEM_HOST_READ_ONLY, CL_MEM_HOST_WRITE_ONLY },
		{ CL_MEM_HOST_NO_ACCESS, CL_MEM_HOST_READ_ONLY },
		{ CL_MEM_HOST_NO_ACCESS, CL_MEM_HOST_WRITE_ONLY },
	};
	cl_int err;

	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_mem mem = cl_buffer(env, list[i].parent, SIZE, NULL);

		CHECK_FAILS(err, sub(mem, list[i].child, 0, 4096, &err), CL_INVALID_VALUE);
		CHECK_OK(clReleaseMemObject(mem));
	}
}

static void inherits(struct cl_env *env)
{
	static unsigned char host[SIZE];
	size_t align = base_align(env);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR | CL_MEM_HOST_READ_ONLY, SIZE, host);
	cl_mem child = sub(mem, 0, align, 4096, NULL);
	cl_mem_flags flags;

	REQUIRE(child);
	flags = GET_INFO(cl_mem_flags, clGetMemObjectInfo, child, CL_MEM_FLAGS);
	CHECK_EQ(flags, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR | CL_MEM_HOST_READ_ONLY);
	CHECK(GET_INFO(cl_mem, clGetMemObjectInfo, child, CL_MEM_ASSOCIATED_MEMOBJECT) == mem);
	CHECK_EQ(GET_INFO(size_t, clGetMemObjectInfo, child, CL_MEM_OFFSET), align);
	CHECK_EQ(GET_INFO(size_t, clGetMemObjectInfo, child, CL_MEM_SIZE), 4096);
	CHECK(GET_INFO(void *, clGetMemObjectInfo, child, CL_MEM_HOST_PTR) == host + align);
	CHECK_EQ(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, child, CL_MEM_TYPE), CL_MEM_OBJECT_BUFFER);
	CHECK(GET_INFO(cl_context, clGetMemObjectInfo, child, CL_MEM_CONTEXT) == env->ctx);
	CHECK_OK(clReleaseMemObject(child));
	CHECK_OK(clReleaseMemObject(mem));
}

/* What is written through one is read through the others. */
static void overlapping_contents(struct cl_env *env)
{
	unsigned char *out = calloc(1, SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem low = sub(mem, 0, 0, 32768, NULL), mid = sub(mem, 0, 16384, 32768, NULL);
	const unsigned char zero = 0, one = 1, two = 2;
	cl_command_queue q = env->queue;

	REQUIRE(low && mid);
	CHECK_OK(clEnqueueFillBuffer(q, mem, &zero, 1, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clEnqueueFillBuffer(q, low, &one, 1, 0, 32768, 0, NULL, NULL));
	CHECK_OK(clEnqueueFillBuffer(q, mid, &two, 1, 0, 32768, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, 16384, 1));
	CHECK(cl_all_bytes(out + 16384, 32768, 2));
	CHECK(cl_all_bytes(out + 49152, 16384, 0));
	CHECK_OK(clEnqueueReadBuffer(q, low, CL_TRUE, 16000, 768, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, 384, 1) && cl_all_bytes(out + 384, 384, 2));
	CHECK_OK(clReleaseMemObject(low));
	CHECK_OK(clReleaseMemObject(mid));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

/* Bounds are the child's, not the parent's. */
static void bounds(struct cl_env *env)
{
	unsigned char buf[8192] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem child = sub(mem, 0, 4096, 4096, NULL);
	cl_int err;

	REQUIRE(child);
	CHECK_ERR(clEnqueueReadBuffer(env->queue, child, CL_TRUE, 0, 4097, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBuffer(env->queue, child, CL_TRUE, 4096, 1, buf, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_FAILS(err, clEnqueueMapBuffer(env->queue, child, CL_TRUE, CL_MAP_READ, 1, 4096, 0, NULL, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_OK(clEnqueueReadBuffer(env->queue, child, CL_TRUE, 0, 4096, buf, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(child));
	CHECK_OK(clReleaseMemObject(mem));
}

static void map_of_child(struct cl_env *env)
{
	unsigned char out[64] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem child = sub(mem, 0, 8192, 4096, NULL);
	cl_int err = -1;
	unsigned char *p;

	REQUIRE(child);
	p = clEnqueueMapBuffer(env->queue, child, CL_TRUE, CL_MAP_WRITE, 0, 64, 0, NULL, NULL, &err);
	CHECK_OK(err);
	REQUIRE(p);
	cl_pattern(p, 64, 9);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, child, p, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 8192, 64, out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, 64, 9));
	CHECK_OK(clReleaseMemObject(child));
	CHECK_OK(clReleaseMemObject(mem));
}

static void copy_between_siblings(struct cl_env *env)
{
	unsigned char in[4096], out[4096] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem a = sub(mem, 0, 0, 8192, NULL), b = sub(mem, 0, 4096, 8192, NULL);

	REQUIRE(a && b);
	cl_pattern(in, sizeof(in), 3);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, a, CL_TRUE, 0, sizeof(in), in, 0, NULL, NULL));
	/* bytes 0..4095 of the parent to 8192..12287: apart */
	CHECK_OK(clEnqueueCopyBuffer(env->queue, a, b, 0, 4096, 4096, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 8192, sizeof(out), out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, sizeof(out), 3));
	/* bytes 2048..6143 to 4096..8191: they overlap in the parent */
	CHECK_ERR(clEnqueueCopyBuffer(env->queue, a, b, 2048, 0, 4096, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	CHECK_OK(clReleaseMemObject(mem));
}

static void parent_released_first(struct cl_env *env)
{
	unsigned char in[4096], out[4096] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem child = sub(mem, 0, 4096, 4096, NULL);

	REQUIRE(child);
	CHECK_OK(clReleaseMemObject(mem));
	cl_pattern(in, sizeof(in), 5);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, child, CL_TRUE, 0, sizeof(in), in, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, child, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, sizeof(out), 5));
	CHECK_OK(clReleaseMemObject(child));
}

static void kernel_sees_child(struct cl_env *env)
{
	cl_program program = cl_build(env, "__kernel void put(__global uint *p) { p[get_global_id(0)] = 7; }", NULL);
	cl_kernel kernel = cl_kernel_new(program, "put");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem child = sub(mem, 0, 4096, 4096, NULL);
	size_t count = 1024;
	cl_uint *out = calloc(1, SIZE);
	const cl_uint zero = 0;
	bool right = true;

	REQUIRE(child);
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, 4, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(child), &child));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	for (size_t i = 0; i < SIZE / 4; i++)
		right &= out[i] == (i >= 1024 && i < 2048 ? 7 : 0);
	CHECK(right);
	CHECK_OK(clReleaseMemObject(child));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	free(out);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(errors), CL_CASE(flag_errors), CL_CASE(inherits), CL_CASE(overlapping_contents),
		CL_CASE(bounds), CL_CASE(map_of_child), CL_CASE(copy_between_siblings),
		CL_CASE(parent_released_first), CL_CASE(kernel_sees_child), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
