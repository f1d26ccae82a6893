/* SPDX-License-Identifier: MIT */
/*
 * Kernels that crash. Natively the program dies with them; on a virtual device
 * it gets an OpenCL error soon, its other contexts work, and so does a new one.
 * "Soon" is a second by the design; the checks allow more for a busy machine.
 */
#include "cl_test.h"

#define SIZE 4096
#define SOON_S 5.0

static const char source[] =
	"__kernel void wild(__global int *p, ulong where) { *(__global int *)where = p[0]; }\n"
	"__kernel void fine(__global int *p) { p[get_global_id(0)] = 3; }\n"
	"__kernel void deep(__global int *p) { volatile int a[1 << 22]; for (int i = 0; i < (1 << 22); i += 512) a[i] = i;"
	" p[0] = a[p[0] & 1023]; }\n";

static bool works(struct cl_env *env)
{
	unsigned int before = cl_test_failures();
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "fine");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	size_t count = SIZE / 4;
	int out[SIZE / 4] = { 0 };

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(out[0] == 3 && out[SIZE / 4 - 1] == 3);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	return cl_test_failures() == before;
}

static void crash(struct cl_env *env, cl_ulong where)
{
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "wild");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event event = NULL, behind = NULL;
	size_t one = 1;
	double began;
	char out[64];

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(where), &where));
	began = cl_now();
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, &event));
	/* what stands behind it may be refused or accepted, but must end in an error too */
	(void)clEnqueueReadBuffer(env->queue, mem, CL_FALSE, 0, sizeof(out), out, 0, NULL, &behind);
	CHECK(clWaitForEvents(1, &event) != CL_SUCCESS);
	CHECK(GET_INFO(cl_int, clGetEventInfo, event, CL_EVENT_COMMAND_EXECUTION_STATUS) < 0);
	if (behind) {
		CHECK(clWaitForEvents(1, &behind) != CL_SUCCESS);
		CHECK_OK(clReleaseEvent(behind));
	}
	CHECK(clFinish(env->queue) != CL_SUCCESS);
	CHECK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL) != CL_SUCCESS);
	CHECK(cl_now() - began < SOON_S);
	/* letting go of lost objects succeeds */
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

/* A context of its own, because this one is lost afterwards. */
static void open_own(struct cl_env *env, struct cl_env *own)
{
	*own = *env;
	own->ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	CHECK(own->ctx);
	own->queue = cl_queue(own, 0);
}

static void close_own(struct cl_env *own)
{
	CHECK_OK(clReleaseCommandQueue(own->queue));
	CHECK_OK(clReleaseContext(own->ctx));
}

static void wild_writes(struct cl_env *env)
{
	static const cl_ulong places[] = { 0, 8, (cl_ulong)1 << 46, ~(cl_ulong)0 - 7 };

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct cl_env own;

		open_own(env, &own);
		crash(&own, places[i]);
		close_own(&own);
		open_own(env, &own);
		CHECK(works(&own));
		close_own(&own);
	}
}

/* 16 MiB of private memory: a worker's stack has less. Natively as well a crash. */
static void stack_overflow(struct cl_env *env)
{
	struct cl_env own;
	cl_program program;
	cl_kernel kernel;
	cl_mem mem;
	size_t one = 1;

	open_own(env, &own);
	program = cl_build(&own, source, NULL);
	kernel = cl_kernel_new(program, "deep");
	mem = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	(void)clEnqueueNDRangeKernel(own.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL);
	/* it may have worked or not: it ends, and the program goes on */
	(void)clFinish(own.queue);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	close_own(&own);
}

/* Memory that was mapped when the session was lost stays readable. */
static void maps_survive(struct cl_env *env)
{
	struct cl_env own;
	unsigned char *p;
	cl_int err = -1;
	cl_mem mem;

	open_own(env, &own);
	mem = cl_buffer(&own, CL_MEM_READ_WRITE, 1 << 20, NULL);
	p = clEnqueueMapBuffer(own.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, 1 << 20, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	cl_pattern(p, 1 << 20, 1);
	crash(&own, 0);
	CHECK(cl_pattern_is(p, 1 << 20, 1));
	(void)clEnqueueUnmapMemObject(own.queue, mem, p, 0, NULL, NULL);
	CHECK_OK(clReleaseMemObject(mem));
	close_own(&own);
}

static void a_new_context_works(struct cl_env *env)
{
	struct cl_env own;

	open_own(env, &own);
	CHECK(works(&own));
	close_own(&own);
	/* the context of main() was alive all the time, and may be lost with the session: it only has to close */
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(wild_writes), CL_CASE(stack_overflow), CL_CASE(maps_survive), CL_CASE(a_new_context_works),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY | CL_TEST_MAY_LOSE);
}
