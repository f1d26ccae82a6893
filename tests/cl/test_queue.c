/* SPDX-License-Identifier: MIT */
/* Command queues: both ways to create one, info, counts, flush and finish. */
#include "cl_test.h"

static void create_old_way(struct cl_env *env)
{
	static const cl_command_queue_properties props[] = {
		0, CL_QUEUE_PROFILING_ENABLE, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE,
		CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE,
	};

	for (size_t i = 0; i < COUNT_OF(props); i++) {
		cl_int err = -1;
		cl_command_queue queue = clCreateCommandQueue(env->ctx, env->device, props[i], &err);

		CHECK_OK(err);
		REQUIRE(queue);
		CHECK_EQ(GET_INFO(cl_command_queue_properties, clGetCommandQueueInfo, queue, CL_QUEUE_PROPERTIES),
			 props[i]);
		CHECK_OK(clReleaseCommandQueue(queue));
	}
}

static void create_with_properties(struct cl_env *env)
{
	const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0 };
	const cl_queue_properties empty[] = { 0 };
	cl_queue_properties got[3] = { 0 };
	size_t size = 0;
	cl_command_queue queue;

	queue = clCreateCommandQueueWithProperties(env->ctx, env->device, NULL, NULL);
	REQUIRE(queue);
	CHECK_EQ(GET_INFO(cl_command_queue_properties, clGetCommandQueueInfo, queue, CL_QUEUE_PROPERTIES), 0);
	CHECK_OK(clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, 0, NULL, &size));
	CHECK_EQ(size, 0);
	CHECK_OK(clReleaseCommandQueue(queue));

	queue = clCreateCommandQueueWithProperties(env->ctx, env->device, empty, NULL);
	REQUIRE(queue);
	CHECK_OK(clReleaseCommandQueue(queue));

	queue = clCreateCommandQueueWithProperties(env->ctx, env->device, list, NULL);
	REQUIRE(queue);
	CHECK_OK(clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES_ARRAY, sizeof(got), got, &size));
	CHECK_EQ(size, sizeof(list));
	CHECK(memcmp(got, list, sizeof(list)) == 0);
	CHECK_OK(clReleaseCommandQueue(queue));
}

static void create_errors(struct cl_env *env)
{
	const cl_queue_properties unknown_key[] = { 0x7777, 1, 0 };
	const cl_queue_properties unknown_bit[] = { CL_QUEUE_PROPERTIES, 1 << 20, 0 };
	const cl_queue_properties twice[] = { CL_QUEUE_PROPERTIES, 0, CL_QUEUE_PROPERTIES, 0, 0 };
	cl_int err;

	(void)twice;
	CHECK_FAILS(err, clCreateCommandQueue(NULL, env->device, 0, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clCreateCommandQueue(env->ctx, NULL, 0, &err), CL_INVALID_DEVICE);
	CHECK_FAILS(err, clCreateCommandQueue(env->ctx, env->device, 1 << 20, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(NULL, env->device, NULL, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(env->ctx, NULL, NULL, &err), CL_INVALID_DEVICE);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(env->ctx, env->device, unknown_key, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(env->ctx, env->device, unknown_bit, &err),
		    CL_INVALID_VALUE);
}

/* The native driver aborts on this one, so it is asked of a virtual device only. */
static void device_side_queue(struct cl_env *env)
{
	const cl_queue_properties on_device[] = {
		CL_QUEUE_PROPERTIES, CL_QUEUE_ON_DEVICE | CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0 };
	cl_int err;

	if (env->native)
		return;
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(env->ctx, env->device, on_device, &err),
		    CL_INVALID_QUEUE_PROPERTIES);
}

static void info(struct cl_env *env)
{
	char buf[64];

	CHECK_INFO(sizeof(cl_context), clGetCommandQueueInfo, env->queue, CL_QUEUE_CONTEXT);
	CHECK_INFO(sizeof(cl_device_id), clGetCommandQueueInfo, env->queue, CL_QUEUE_DEVICE);
	CHECK_INFO(sizeof(cl_uint), clGetCommandQueueInfo, env->queue, CL_QUEUE_REFERENCE_COUNT);
	CHECK_INFO(sizeof(cl_command_queue_properties), clGetCommandQueueInfo, env->queue, CL_QUEUE_PROPERTIES);
	CHECK_INFO(3 * sizeof(cl_queue_properties), clGetCommandQueueInfo, env->queue, CL_QUEUE_PROPERTIES_ARRAY);
	CHECK(GET_INFO(cl_context, clGetCommandQueueInfo, env->queue, CL_QUEUE_CONTEXT) == env->ctx);
	CHECK(GET_INFO(cl_device_id, clGetCommandQueueInfo, env->queue, CL_QUEUE_DEVICE) == env->device);
	CHECK(GET_INFO(cl_command_queue, clGetCommandQueueInfo, env->queue, CL_QUEUE_DEVICE_DEFAULT) == NULL);
	CHECK_ERR(clGetCommandQueueInfo(env->queue, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetCommandQueueInfo(env->queue, CL_QUEUE_SIZE, sizeof(buf), buf, NULL),
		  CL_INVALID_COMMAND_QUEUE);
}

static void counts(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, 0);

	CHECK_EQ(GET_INFO(cl_uint, clGetCommandQueueInfo, queue, CL_QUEUE_REFERENCE_COUNT), 1);
	CHECK_OK(clRetainCommandQueue(queue));
	CHECK_EQ(GET_INFO(cl_uint, clGetCommandQueueInfo, queue, CL_QUEUE_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_ERR(clRetainCommandQueue(NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clReleaseCommandQueue(NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clFlush(NULL), CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clFinish(NULL), CL_INVALID_COMMAND_QUEUE);
}

static void flush_and_finish_empty(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, 0);

	for (int i = 0; i < 100; i++) {
		CHECK_OK(clFlush(queue));
		CHECK_OK(clFinish(queue));
	}
	CHECK_OK(clReleaseCommandQueue(queue));
}

/* A release flushes: what was enqueued is still done. */
static void released_with_work_pending(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, 0);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 1 << 16, NULL);
	unsigned char byte = 0x42;
	unsigned char *out = calloc(1, 1 << 16);
	cl_event event = NULL;

	CHECK_OK(clEnqueueFillBuffer(queue, mem, &byte, 1, 0, 1 << 16, 0, NULL, &event));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 1 << 16, out, 0, NULL, NULL));
	CHECK(cl_all_bytes(out, 1 << 16, byte));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

static void sixty_four_at_once(struct cl_env *env)
{
	cl_command_queue queues[64];
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 64 * 4, NULL);
	cl_uint out[64] = { 0 };

	for (cl_uint i = 0; i < 64; i++) {
		queues[i] = cl_queue(env, i & 1 ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0);
		CHECK_OK(clEnqueueFillBuffer(queues[i], mem, &i, 4, i * 4, 4, 0, NULL, NULL));
	}
	for (size_t i = 0; i < 64; i++) {
		CHECK_OK(clFinish(queues[i]));
		CHECK_OK(clReleaseCommandQueue(queues[i]));
	}
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	for (cl_uint i = 0; i < 64; i++)
		CHECK_EQ(out[i], i);
	CHECK_OK(clReleaseMemObject(mem));
}

static void default_device_queue_refused(struct cl_env *env)
{
	CHECK_ERR(clSetDefaultDeviceCommandQueue(env->ctx, env->device, env->queue), CL_INVALID_OPERATION);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create_old_way), CL_CASE(create_with_properties), CL_CASE(create_errors),
		CL_CASE(device_side_queue), CL_CASE(info), CL_CASE(counts), CL_CASE(flush_and_finish_empty),
		CL_CASE(released_with_work_pending), CL_CASE(sixty_four_at_once),
		CL_CASE(default_device_queue_refused), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
