/* SPDX-License-Identifier: MIT */
/*
 * Callbacks and releases: what is called, with what, in which order, while commands are under way.  Printed, to be compared.
 * Not here, where PoCL 3.1 departs from OpenCL: it forgets callbacks of events that fail, and those for CL_RUNNING of a user
 * event, and calls in the program's own thread what is set too late.
 */
#include "cl_test.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char notes[4096];
static unsigned int nr_notes;

static void note(const char *text)
{
	pthread_mutex_lock(&lock);
	strncat(notes, text, sizeof(notes) - strlen(notes) - 1);
	strncat(notes, " ", sizeof(notes) - strlen(notes) - 1);
	nr_notes++;
	pthread_mutex_unlock(&lock);
}

static bool has_notes(unsigned int nr)
{
	bool has;

	pthread_mutex_lock(&lock);
	has = nr_notes >= nr;
	pthread_mutex_unlock(&lock);
	return has;
}

/* Callbacks come from threads that nobody waits for: so many must come, and no more. */
static void show(const char *what, unsigned int nr)
{
	double start = cl_now();

	while (!has_notes(nr) && cl_now() - start < 10)
		cl_sleep_ms(1);
	cl_sleep_ms(60);
	pthread_mutex_lock(&lock);
	nr_notes = 0;
	printf("%s: %s\n", what, notes);
	notes[0] = '\0';
	pthread_mutex_unlock(&lock);
	fflush(stdout);
}

static void CL_CALLBACK on_mem(cl_mem mem, void *data)
{
	(void)mem;
	note(data);
}

static void CL_CALLBACK on_context(cl_context context, void *data)
{
	(void)context;
	note(data);
}

static void CL_CALLBACK on_event(cl_event event, cl_int status, void *data)
{
	char text[64];

	(void)event;
	snprintf(text, sizeof(text), "%s:%d", (char *)data, status);
	note(text);
}

/* What a callback gets is not const. */
#define TEXT(s) ((void *)(uintptr_t)(s))
#define OUTCOME(call) printf("%s: %s\n", #call, cl_err_name(call))

static void case_mem(struct cl_env *env)
{
	const cl_buffer_region region = { 0, 128 };
	cl_mem mem = cl_buffer(env, 0, 4096, NULL), sub;
	cl_int err;

	OUTCOME(clSetMemObjectDestructorCallback(mem, NULL, NULL));
	OUTCOME(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("first")));
	OUTCOME(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("second")));
	OUTCOME(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("third")));
	OUTCOME(clRetainMemObject(mem));
	OUTCOME(clReleaseMemObject(mem));
	show("held", 0);
	OUTCOME(clReleaseMemObject(mem));
	show("released", 3);

	mem = cl_buffer(env, 0, 4096, NULL);
	sub = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err);
	OUTCOME(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("parent")));
	OUTCOME(clSetMemObjectDestructorCallback(sub, on_mem, TEXT("sub")));
	OUTCOME(clReleaseMemObject(mem));
	show("parent released", 0);
	OUTCOME(clReleaseMemObject(sub));
	show("sub-buffer released", 2);
}

/* The last reference is dropped while a command that uses the buffer waits. */
static void case_mem_in_use(struct cl_env *env)
{
	cl_mem a = cl_buffer(env, 0, 4096, NULL), b = cl_buffer(env, 0, 4096, NULL);
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;

	OUTCOME(clSetMemObjectDestructorCallback(a, on_mem, TEXT("a")));
	OUTCOME(clSetMemObjectDestructorCallback(b, on_mem, TEXT("b")));
	OUTCOME(clEnqueueCopyBuffer(env->queue, a, b, 0, 0, 64, 1, &user, &event));
	OUTCOME(clReleaseMemObject(a));
	OUTCOME(clReleaseMemObject(b));
	show("released in use", 0);
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clFinish(env->queue));
	show("done", 2);
	clReleaseEvent(event);
	clReleaseEvent(user);
	show("event released", 0);
}

static void case_kernel_in_use(struct cl_env *env)
{
	cl_program program = cl_build(env, "kernel void k(global int *a) { a[get_global_id(0)] += 1; }", "");
	cl_kernel kernel = cl_kernel_new(program, "k");
	int v[16] = { 41 };
	cl_mem mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, sizeof(v), v);
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;
	const size_t one = 1;
	cl_uint refs = 0;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("mem")));
	OUTCOME(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 1, &user, &event));
	OUTCOME(clReleaseKernel(kernel));
	OUTCOME(clReleaseProgram(program));
	CHECK_OK(clRetainMemObject(mem));
	CHECK_OK(clGetMemObjectInfo(mem, CL_MEM_REFERENCE_COUNT, sizeof(refs), &refs, NULL));
	CHECK(refs >= 2);
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clWaitForEvents(1, &event));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(v), v, 0, NULL, NULL));
	printf("value %d\n", v[0]);
	OUTCOME(clReleaseMemObject(mem));
	OUTCOME(clReleaseMemObject(mem));
	show("mem released", 1);
	clReleaseEvent(event);
	clReleaseEvent(user);
}

static void case_queue_in_use(struct cl_env *env)
{
	cl_command_queue queue = cl_queue(env, 0);
	int v = 7, got = 0;
	cl_mem mem = cl_buffer(env, 0, 64, NULL);
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;

	CHECK_OK(clEnqueueFillBuffer(queue, mem, &v, sizeof(v), 0, 64, 1, &user, &event));
	OUTCOME(clReleaseCommandQueue(queue));
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clWaitForEvents(1, &event));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(got), &got, 0, NULL, NULL));
	printf("value %d\n", got);
	clReleaseEvent(event);
	clReleaseEvent(user);
	clReleaseMemObject(mem);
}

static void case_context(struct cl_env *env)
{
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_mem mem = clCreateBuffer(ctx, 0, 64, NULL, NULL);
	cl_command_queue queue = clCreateCommandQueueWithProperties(ctx, env->device, NULL, NULL);

	OUTCOME(clSetContextDestructorCallback(ctx, NULL, NULL));
	OUTCOME(clSetContextDestructorCallback(ctx, on_context, TEXT("first")));
	OUTCOME(clSetContextDestructorCallback(ctx, on_context, TEXT("second")));
	OUTCOME(clSetMemObjectDestructorCallback(mem, on_mem, TEXT("mem")));
	OUTCOME(clReleaseContext(ctx));
	show("context released", 0);
	OUTCOME(clReleaseCommandQueue(queue));
	show("queue released", 0);
	OUTCOME(clReleaseMemObject(mem));
	show("mem released", 3);
}

static void case_user_event(struct cl_env *env)
{
	cl_event user = clCreateUserEvent(env->ctx, NULL);
	cl_int status = 77;

	OUTCOME(clSetUserEventStatus(user, CL_QUEUED));
	OUTCOME(clSetUserEventStatus(user, CL_RUNNING));
	OUTCOME(clSetUserEventStatus(user, CL_SUBMITTED));
	OUTCOME(clSetUserEventStatus(user, 17));
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clSetUserEventStatus(user, -1));
	OUTCOME(clSetUserEventStatus(user, CL_RUNNING));
	CHECK_OK(clGetEventInfo(user, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	printf("status %d\n", status);
	clReleaseEvent(user);
	user = clCreateUserEvent(env->ctx, NULL);
	OUTCOME(clSetUserEventStatus(user, -1000));
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	CHECK_OK(clGetEventInfo(user, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	printf("status %d\n", status);
	clReleaseEvent(user);
}

static void set_three(cl_event event)
{
	OUTCOME(clSetEventCallback(event, CL_SUBMITTED, on_event, TEXT("submitted")));
	OUTCOME(clSetEventCallback(event, CL_RUNNING, on_event, TEXT("running")));
	OUTCOME(clSetEventCallback(event, CL_COMPLETE, on_event, TEXT("complete")));
}

static void case_callbacks(struct cl_env *env)
{
	cl_event user = clCreateUserEvent(env->ctx, NULL), event;
	cl_mem mem = cl_buffer(env, 0, 64, NULL);
	int v = 1;

	OUTCOME(clSetEventCallback(user, CL_QUEUED, on_event, TEXT("queued")));
	OUTCOME(clSetEventCallback(user, -1, on_event, TEXT("minus one")));
	OUTCOME(clSetEventCallback(user, 5, on_event, TEXT("five")));
	OUTCOME(clSetEventCallback(user, CL_COMPLETE, NULL, NULL));
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &v, sizeof(v), 0, 64, 1, &user, &event));
	set_three(event);
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	OUTCOME(clFinish(env->queue));
	show("of a command", 3);
	set_three(event);
	show("afterwards", 3);
	clReleaseEvent(event);
	clReleaseEvent(user);
	clReleaseMemObject(mem);
}

static void case_user_callbacks(struct cl_env *env)
{
	cl_event user = clCreateUserEvent(env->ctx, NULL);

	OUTCOME(clSetEventCallback(user, CL_SUBMITTED, on_event, TEXT("submitted")));
	OUTCOME(clSetEventCallback(user, CL_COMPLETE, on_event, TEXT("complete")));
	show("before", 1);
	OUTCOME(clSetUserEventStatus(user, CL_COMPLETE));
	show("complete", 1);
	clReleaseEvent(user);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(case_mem),	  CL_CASE(case_mem_in_use), CL_CASE(case_kernel_in_use), CL_CASE(case_queue_in_use),
		CL_CASE(case_context),	  CL_CASE(case_user_event), CL_CASE(case_callbacks),
		CL_CASE(case_user_callbacks), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
