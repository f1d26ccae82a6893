/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory where a virtual device cannot be as PoCL, which shares all memory of its process: pointers to
 * memory that is not shared, and an executor that dies.
 */
#include "cl_test.h"

#include <sys/wait.h>

static const char source[] =
	"__kernel void set(__global uint *p, uint v) { p[0] = v; }\n"
	"__kernel void crash(__global uint *p) { p[0] = 3; *(volatile __global uint *)8 = 1; }\n";

static void foreign_pointers(struct cl_env *env)
{
	cl_program program = cl_build(env, source, NULL);
	cl_kernel set = cl_kernel_new(program, "set"), clone;
	cl_uint *p = clSVMAlloc(env->ctx, 0, 4096, 0), plain = 1, value = 7;
	size_t one = 1;
	cl_int err;

	REQUIRE(p);
	CHECK_OK(clSetKernelArg(set, 1, sizeof(value), &value));
	/* taken, as natively, but not launched with */
	CHECK_OK(clSetKernelArgSVMPointer(set, 0, &plain));
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, set, 1, NULL, &one, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
	clone = clCloneKernel(set, &err);
	CHECK_OK(err);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, clone, 1, NULL, &one, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_OK(clSetKernelArgSVMPointer(clone, 0, p));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, clone, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clSetKernelArgSVMPointer(set, 0, p + 1));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, set, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK(p[0] == 7 && p[1] == 7 && plain == 1);
	clSVMFree(env->ctx, p);
	CHECK_OK(clReleaseKernel(clone));
	CHECK_OK(clReleaseKernel(set));
	CHECK_OK(clReleaseProgram(program));
}

/* The child reads what it inherited, and has memory of its own in a context of its own. */
static void fork_shares_nothing(struct cl_env *env)
{
	cl_uint *p = clSVMAlloc(env->ctx, 0, 4096, 0), *own;
	cl_context ctx;
	cl_int err = 0;
	int status = -1;
	pid_t pid;

	REQUIRE(p);
	*p = 5;
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		bool ok = *p == 5 && !clSVMAlloc(env->ctx, 0, 100, 0);

		clSVMFree(env->ctx, p);
		ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, &err);
		own = ctx ? clSVMAlloc(ctx, 0, 4096, 0) : NULL;
		ok = ok && own && own != p;
		if (own)
			*own = 6;
		clSVMFree(ctx, own);
		_exit(ok && *p == 5 ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_EQ(*p, 5);
	clSVMFree(env->ctx, p);
}

/* After a loss the memory is there until it is freed, commands fail, and a new context starts anew. */
static void memory_outlives_a_crash(struct cl_env *env)
{
	cl_int err;
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, &err);
	cl_command_queue queue = clCreateCommandQueueWithProperties(ctx, env->device, NULL, &err);
	struct cl_env lost = { .platform = env->platform, .device = env->device, .ctx = ctx, .queue = queue };
	cl_program program = cl_build(&lost, source, NULL);
	cl_kernel crash = cl_kernel_new(program, "crash");
	cl_uint *small = clSVMAlloc(ctx, 0, 4096, 0), *large = clSVMAlloc(ctx, 0, 20 << 20, 0);
	size_t one = 1;

	REQUIRE(small && large);
	small[0] = 0;
	large[1000] = 42;
	CHECK_OK(clSetKernelArgSVMPointer(crash, 0, small));
	CHECK_OK(clEnqueueNDRangeKernel(queue, crash, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK(clFinish(queue) != CL_SUCCESS);
	CHECK(small[0] == 3 && large[1000] == 42);
	large[1] = 1;
	CHECK(!clSVMAlloc(ctx, 0, 100, 0));
	CHECK(clEnqueueSVMMemcpy(queue, CL_TRUE, small, large, 100, 0, NULL, NULL) != CL_SUCCESS);
	CHECK(clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, large, 100, 0, NULL, NULL) != CL_SUCCESS);
	clSVMFree(ctx, small);
	clSVMFree(ctx, large);
	CHECK_OK(clReleaseKernel(crash));
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseContext(ctx));
	ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, &err);
	REQUIRE_OK(err);
	small = clSVMAlloc(ctx, 0, 4096, 0);
	CHECK(small);
	clSVMFree(ctx, small);
	CHECK_OK(clReleaseContext(ctx));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(foreign_pointers), CL_CASE(fork_shares_nothing), CL_CASE(memory_outlives_a_crash), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY | CL_TEST_MAY_LOSE);
}
