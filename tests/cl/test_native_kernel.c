/* SPDX-License-Identifier: MIT */
/* clEnqueueNativeKernel: a function of the program, run in its process when its turn in the queue has come. */
#include "cl_test.h"

#include <pthread.h>
#include <stdatomic.h>

struct args {
	int *mem;
	int *other;
	int add;
	int *seen; /* of the program: what came in mem[0] */
};

static void CL_CALLBACK add_to_first(void *data)
{
	struct args *a = data;

	if (a->seen)
		*a->seen = a->mem[0];
	a->mem[0] += a->add;
}

static const char increment[] = "kernel void inc(global int *a) { a[0] = a[0] * 3 + 1; }";

static int read_first(struct cl_env *env, cl_mem mem)
{
	int value = -1;

	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(value), &value, 0, NULL, NULL));
	return value;
}

/* Between two kernels of the device, without a wait. */
static void case_order(struct cl_env *env)
{
	cl_program program = cl_build(env, increment, "");
	cl_kernel kernel = cl_kernel_new(program, "inc");
	int start = 5, seen = 0;
	cl_mem mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, 4096, (int[1024]){ start });
	struct args a = { .add = 10, .seen = &seen };
	const void *location = &a.mem;
	const size_t one = 1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueNativeKernel(env->queue, add_to_first, &a, sizeof(a), 1, &mem, &location, 0, NULL, NULL));
	a.add = 1000000; /* was copied */
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_EQ(read_first(env, mem), (start * 3 + 1 + 10) * 3 + 1);
	CHECK_EQ(seen, start * 3 + 1);
	CHECK(a.mem == NULL);
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
}

static void CL_CALLBACK count(void *data)
{
	atomic_fetch_add(*(_Atomic int **)data, 1);
}

static void CL_CALLBACK count_nothing(void *data)
{
	CHECK(data == NULL);
}

static void case_arguments(struct cl_env *env)
{
	_Atomic int calls = 0, *p = &calls;

	CHECK_OK(clEnqueueNativeKernel(env->queue, count, &p, sizeof(p), 0, NULL, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueNativeKernel(env->queue, count_nothing, NULL, 0, 0, NULL, NULL, 0, NULL, NULL));
	for (int i = 0; i < 500; i++)
		CHECK_OK(clEnqueueNativeKernel(env->queue, count, &p, sizeof(p), 0, NULL, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(atomic_load(&calls), 501);
}

static void case_event(struct cl_env *env)
{
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;
	_Atomic int calls = 0, *p = &calls;
	cl_command_type type = 0;
	cl_int status = 77;
	cl_ulong t[4];

	CHECK_OK(clEnqueueNativeKernel(env->queue, count, &p, sizeof(p), 0, NULL, NULL, 1, &user, &event));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(20);
	CHECK_EQ(atomic_load(&calls), 0);
	CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_EQ(atomic_load(&calls), 1);
	CHECK_OK(clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL));
	CHECK_EQ(type, CL_COMMAND_NATIVE_KERNEL);
	CHECK_OK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	CHECK_EQ(status, CL_COMPLETE);
	for (int i = 0; i < 4; i++)
		CHECK_OK(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_QUEUED + i, sizeof(t[i]), &t[i], NULL));
	CHECK(t[0] <= t[1] && t[1] <= t[2] && t[2] <= t[3]);
	clReleaseEvent(event);
	clReleaseEvent(user);
}

static void case_failed_wait(struct cl_env *env)
{
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;
	_Atomic int calls = 0, *p = &calls;
	cl_int status = 77;

	CHECK_OK(clEnqueueNativeKernel(env->queue, count, &p, sizeof(p), 0, NULL, NULL, 1, &user, &event));
	CHECK_OK(clSetUserEventStatus(user, -5));
	CHECK_ERR(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	CHECK_OK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	CHECK(status < 0);
	CHECK_EQ(atomic_load(&calls), 0);
	clReleaseEvent(event);
	clReleaseEvent(user);
}

/* Released while the function waits for its turn: the memory stays till then. */
static void case_release(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, 4096, (int[1024]){ 7 });
	cl_event user = clCreateUserEvent(env->ctx, NULL);
	cl_command_queue queue = cl_queue(env, 0);
	int seen = 0;
	struct args a = { .add = 1, .seen = &seen };
	const void *location = &a.mem;
	cl_event event;

	CHECK_OK(clEnqueueNativeKernel(queue, add_to_first, &a, sizeof(a), 1, &mem, &location, 1, &user, &event));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_EQ(seen, 7);
	clReleaseEvent(event);
	clReleaseEvent(user);
}

struct meeting {
	pthread_barrier_t *place;
};

static void CL_CALLBACK meet(void *data)
{
	pthread_barrier_wait(((struct meeting *)data)->place);
}

/* Two functions of two queues that wait for each other. */
static void case_two_queues(struct cl_env *env)
{
	cl_command_queue other = cl_queue(env, 0);
	pthread_barrier_t place;
	struct meeting m = { &place };

	pthread_barrier_init(&place, NULL, 2);
	CHECK_OK(clEnqueueNativeKernel(env->queue, meet, &m, sizeof(m), 0, NULL, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueNativeKernel(other, meet, &m, sizeof(m), 0, NULL, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clFinish(other));
	pthread_barrier_destroy(&place);
	clReleaseCommandQueue(other);
}

static void case_host_ptr(struct cl_env *env)
{
	static int memory[1024] __attribute__((aligned(4096))) = { 20 };
	cl_mem mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, sizeof(memory), memory);
	struct args a = { .add = 3 };
	const void *location = &a.mem;

	CHECK_OK(clEnqueueNativeKernel(env->queue, add_to_first, &a, sizeof(a), 1, &mem, &location, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(memory[0], 23);
	clReleaseMemObject(mem);
}

#define OUTCOME(...) printf("%s: %s\n", #__VA_ARGS__, cl_err_name(clEnqueueNativeKernel(__VA_ARGS__)))

/* Printed, to be compared: which of several faults is told of first is the driver's choice. */
static void case_errors(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, 0, 64, NULL), none = NULL;
	struct args a = { .add = 3 };
	const void *at = &a.mem;
	cl_command_queue q = env->queue;
	cl_event no_event = NULL;

	OUTCOME(q, NULL, &a, sizeof(a), 0, NULL, NULL, 0, NULL, NULL);
	OUTCOME(q, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, NULL);
	OUTCOME(q, count, NULL, 8, 0, NULL, NULL, 0, NULL, NULL);
	OUTCOME(q, count, &a, 0, 0, NULL, NULL, 0, NULL, NULL);
	OUTCOME(q, count, NULL, 0, 1, &mem, &at, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, NULL, &at, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, &mem, NULL, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 0, &mem, NULL, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 0, NULL, &at, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 0, &mem, &at, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, &none, &at, 0, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, &none, &at, 1, NULL, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, &mem, &at, 1, &no_event, NULL);
	OUTCOME(q, count, &a, sizeof(a), 1, &mem, &at, 0, &no_event, NULL);
	clReleaseMemObject(mem);
}

static void case_capability(struct cl_env *env)
{
	cl_device_exec_capabilities capabilities = 0;

	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_EXECUTION_CAPABILITIES, sizeof(capabilities), &capabilities, NULL));
	printf("capabilities %llx\n", (unsigned long long)capabilities);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(case_order),	  CL_CASE(case_arguments),  CL_CASE(case_event),
		CL_CASE(case_failed_wait), CL_CASE(case_release),   CL_CASE(case_two_queues),
		CL_CASE(case_host_ptr),	  CL_CASE(case_errors),	    CL_CASE(case_capability),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
