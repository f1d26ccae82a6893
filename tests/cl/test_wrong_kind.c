/* SPDX-License-Identifier: MIT */
/*
 * Live handles of the wrong kind. The native driver takes a queue for a buffer
 * and goes on; a virtual device must refuse each with the error of the kind
 * that was asked for. Handles that were never alive are nobody's promise.
 */
#include "cl_test.h"

struct things {
	cl_mem mem;
	cl_event event;
	cl_program program;
	cl_kernel kernel;
	void *all[6];
};

static void make(struct cl_env *env, struct things *t)
{
	t->program = cl_build(env, "__kernel void k(__global int *p, int v) { p[0] = v; }", NULL);
	t->kernel = cl_kernel_new(t->program, "k");
	t->mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
	t->event = clCreateUserEvent(env->ctx, NULL);
	CHECK_OK(clSetUserEventStatus(t->event, CL_COMPLETE));
	t->all[0] = env->ctx;
	t->all[1] = env->queue;
	t->all[2] = t->mem;
	t->all[3] = t->event;
	t->all[4] = t->program;
	t->all[5] = t->kernel;
}

static void drop(struct things *t)
{
	CHECK_OK(clReleaseMemObject(t->mem));
	CHECK_OK(clReleaseEvent(t->event));
	CHECK_OK(clReleaseKernel(t->kernel));
	CHECK_OK(clReleaseProgram(t->program));
}

static void retain_release_info(struct cl_env *env)
{
	struct things t;
	char buf[256];

	make(env, &t);
	for (size_t i = 0; i < COUNT_OF(t.all); i++) {
		if (i != 0) {
			CHECK_ERR(clRetainContext(t.all[i]), CL_INVALID_CONTEXT);
			CHECK_ERR(clGetContextInfo(t.all[i], CL_CONTEXT_NUM_DEVICES, sizeof(buf), buf, NULL),
				  CL_INVALID_CONTEXT);
		}
		if (i != 1) {
			CHECK_ERR(clRetainCommandQueue(t.all[i]), CL_INVALID_COMMAND_QUEUE);
			CHECK_ERR(clReleaseCommandQueue(t.all[i]), CL_INVALID_COMMAND_QUEUE);
			CHECK_ERR(clFinish(t.all[i]), CL_INVALID_COMMAND_QUEUE);
			CHECK_ERR(clFlush(t.all[i]), CL_INVALID_COMMAND_QUEUE);
		}
		if (i != 2) {
			CHECK_ERR(clRetainMemObject(t.all[i]), CL_INVALID_MEM_OBJECT);
			CHECK_ERR(clReleaseMemObject(t.all[i]), CL_INVALID_MEM_OBJECT);
			CHECK_ERR(clGetMemObjectInfo(t.all[i], CL_MEM_SIZE, sizeof(buf), buf, NULL),
				  CL_INVALID_MEM_OBJECT);
		}
		if (i != 3) {
			CHECK_ERR(clRetainEvent(t.all[i]), CL_INVALID_EVENT);
			CHECK_ERR(clReleaseEvent(t.all[i]), CL_INVALID_EVENT);
			CHECK_ERR(clSetUserEventStatus(t.all[i], CL_COMPLETE), CL_INVALID_EVENT);
		}
		if (i != 4) {
			CHECK_ERR(clRetainProgram(t.all[i]), CL_INVALID_PROGRAM);
			CHECK_ERR(clBuildProgram(t.all[i], 1, &env->device, NULL, NULL, NULL), CL_INVALID_PROGRAM);
		}
		if (i != 5) {
			CHECK_ERR(clRetainKernel(t.all[i]), CL_INVALID_KERNEL);
			CHECK_ERR(clSetKernelArg(t.all[i], 0, sizeof(t.mem), &t.mem), CL_INVALID_KERNEL);
		}
	}
	drop(&t);
}

static void in_commands(struct cl_env *env)
{
	struct things t;
	size_t one = 1;
	char buf[64];
	int v = 1;

	make(env, &t);
	for (size_t i = 0; i < COUNT_OF(t.all); i++) {
		cl_event as_event = t.all[i];

		if (i != 2) {
			CHECK_ERR(clEnqueueReadBuffer(env->queue, t.all[i], CL_TRUE, 0, 64, buf, 0, NULL, NULL),
				  CL_INVALID_MEM_OBJECT);
			CHECK_ERR(clEnqueueCopyBuffer(env->queue, t.mem, t.all[i], 0, 0, 64, 0, NULL, NULL),
				  CL_INVALID_MEM_OBJECT);
			CHECK(clSetKernelArg(t.kernel, 0, sizeof(void *), &t.all[i]) != CL_SUCCESS);
		}
		if (i != 3)
			CHECK_ERR(clEnqueueReadBuffer(env->queue, t.mem, CL_TRUE, 0, 64, buf, 1, &as_event, NULL),
				  CL_INVALID_EVENT_WAIT_LIST);
		if (i != 1)
			CHECK_ERR(clEnqueueReadBuffer(t.all[i], t.mem, CL_TRUE, 0, 64, buf, 0, NULL, NULL),
				  CL_INVALID_COMMAND_QUEUE);
		if (i != 5)
			CHECK_ERR(clEnqueueNDRangeKernel(env->queue, t.all[i], 1, NULL, &one, NULL, 0, NULL, NULL),
				  CL_INVALID_KERNEL);
	}
	CHECK_OK(clSetKernelArg(t.kernel, 0, sizeof(t.mem), &t.mem));
	CHECK_OK(clSetKernelArg(t.kernel, 1, sizeof(v), &v));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, t.kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	drop(&t);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(retain_release_info), CL_CASE(in_commands), { NULL, NULL } };

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY);
}
