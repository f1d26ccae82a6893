/* SPDX-License-Identifier: MIT */
/* Calls at which the native driver crashes: a virtual device answers what the specification says. */
#include "cl_outcome.h"

static const size_t zero[3], box[3] = { 4, 2, 2 };

static cl_int copy_box(struct cl_env *env, cl_mem src, cl_mem dst, const size_t at[3])
{
	return clEnqueueCopyBufferRect(env->queue, src, dst, zero, at, box, 16, 64, 16, 64, 0, NULL, NULL);
}

static void rects_of_sub_buffers(struct cl_env *env)
{
	static const size_t inside[3] = { 8, 0, 0 };
	struct outcome_world w;
	uint8_t before[1024], after[1024];

	outcome_open(&w, env);
	cl_pattern(before, sizeof(before), 7);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, w.buffer, CL_TRUE, 0, 1024, before, 0, NULL, NULL));
	CHECK_OK(copy_box(env, w.buffer, w.sub, inside));
	CHECK_OK(clEnqueueReadBuffer(env->queue, w.buffer, CL_TRUE, 0, 1024, after, 0, NULL, NULL));
	CHECK(!memcmp(after, before, 256 + 8));
	for (int z = 0; z < 2; z++)
		for (int y = 0; y < 2; y++)
			CHECK(!memcmp(after + 256 + 8 + z * 64 + y * 16, before + z * 64 + y * 16, 4));
	CHECK_ERR(copy_box(env, w.sub, w.sub, zero), CL_MEM_COPY_OVERLAP);
	CHECK_OK(copy_box(env, w.sub, w.no_host, zero));
	outcome_close(&w);
}

static void rects_of_nothing(struct cl_env *env)
{
	static const size_t empty[3] = { 0, 1, 1 };
	struct outcome_world w;

	outcome_open(&w, env);
	CHECK_ERR(copy_box(env, NULL, w.buffer, zero), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(copy_box(env, w.buffer, NULL, zero), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyBufferRect(env->queue, w.buffer, w.no_host, zero, zero, empty, 8, 0, 8, 0, 0, NULL,
			NULL),
		  CL_INVALID_VALUE);
	outcome_close(&w);
}

static void launches(struct cl_env *env)
{
	static const size_t eight[2] = { 8, 8 }, half[2] = { 4, 0 };
	cl_program program = cl_build(env, "__kernel void k(void) { }", NULL);
	cl_kernel kernel = cl_kernel_new(program, "k");

	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, kernel, 2, NULL, eight, half, 0, NULL, NULL),
			CL_INVALID_WORK_GROUP_SIZE);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, eight, NULL, 1, NULL, NULL),
			CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, NULL, 1, NULL, eight, NULL, 0, NULL, NULL), CL_INVALID_KERNEL);
	CHECK_ERR(clEnqueueTask(env->queue, NULL, 0, NULL, NULL), CL_INVALID_KERNEL);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

static void sub_buffers(struct cl_env *env)
{
	static const cl_buffer_region overflow = { SIZE_MAX & ~127ull, 256 };
	cl_mem buffer = cl_buffer(env, 0, 1024, NULL);
	cl_int code;

	CHECK_FAILS(code, clCreateSubBuffer(buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, &overflow, &code),
			CL_INVALID_VALUE);
	CHECK_OK(clReleaseMemObject(buffer));
}

static void queue_property(struct cl_env *env)
{
	CHECK_ERR(clSetCommandQueueProperty(env->queue, CL_QUEUE_PROFILING_ENABLE, CL_TRUE, NULL),
			CL_INVALID_OPERATION);
	CHECK_ERR(clSetCommandQueueProperty(NULL, CL_QUEUE_PROFILING_ENABLE, CL_TRUE, NULL), CL_INVALID_COMMAND_QUEUE);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(rects_of_sub_buffers), CL_CASE(rects_of_nothing), CL_CASE(launches), CL_CASE(sub_buffers),
		CL_CASE(queue_property), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY);
}
