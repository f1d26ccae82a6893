/* SPDX-License-Identifier: MIT */
/* Program and kernel share memory while the kernel runs: flags, counters, and a list that grows under its reader. */
#include "cl_test.h"

#include <stdatomic.h>

static cl_program program;

static const char source[] =
	"#define PATIENCE 400000000\n"
	"__kernel void answer(volatile __global int *question, volatile __global int *answer, int rounds) {\n"
	"  for (int i = 1; i <= rounds; i++) {\n"
	"    for (int n = 0; atomic_add(question, 0) < i; n++) if (n > PATIENCE) { atomic_xchg(answer, -1); return; }\n"
	"    atomic_xchg(answer, i);\n"
	"  }\n"
	"}\n"
	"__kernel void count(volatile __global int *counter) { for (int i = 0; i < 1000; i++) atomic_inc(counter); }\n"
	"typedef struct node { volatile __global struct node *next; int value; } node;\n"
	"__kernel void follow(volatile __global node *first, int nr, __global int *sum) {\n"
	"  int s = 0;\n"
	"  for (int i = 1; i < nr; i++) {\n"
	"    for (int n = 0; !first->next; n++) if (n > PATIENCE) { *sum = -1; return; }\n"
	"    mem_fence(CLK_GLOBAL_MEM_FENCE);\n"
	"    first = first->next; s += first->value;\n"
	"  }\n"
	"  *sum = s;\n"
	"}\n";

static void setup(struct cl_env *env)
{
	cl_device_svm_capabilities caps =
		GET_INFO(cl_device_svm_capabilities, clGetDeviceInfo, env->device, CL_DEVICE_SVM_CAPABILITIES);

	if (!(caps & CL_DEVICE_SVM_ATOMICS))
		cl_test_skip("no atomics in shared virtual memory");
	program = cl_build(env, source, NULL);
}

static void *shared(struct cl_env *env, size_t size)
{
	void *p = clSVMAlloc(env->ctx, CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS, size, 0);

	CHECK(p);
	if (p)
		memset(p, 0, size);
	return p;
}

/* Each waits for the other, a thousand times. */
static void ping_pong(struct cl_env *env)
{
	enum { ROUNDS = 1000 };
	cl_kernel k = cl_kernel_new(program, "answer");
	_Atomic int *question = shared(env, 4), *answer = shared(env, 4);
	cl_int rounds = ROUNDS, done = 0;
	double give_up = cl_now() + 90;
	size_t one = 1;

	REQUIRE(question && answer);
	CHECK_OK(clSetKernelArgSVMPointer(k, 0, question));
	CHECK_OK(clSetKernelArgSVMPointer(k, 1, answer));
	CHECK_OK(clSetKernelArg(k, 2, sizeof(rounds), &rounds));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, k, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFlush(env->queue));
	for (int i = 1; i <= ROUNDS && atomic_load(answer) >= 0 && cl_now() < give_up; i++) {
		atomic_store(question, i);
		while (atomic_load(answer) != i && atomic_load(answer) >= 0 && cl_now() < give_up) {
		}
		done = i;
	}
	atomic_store(question, ROUNDS);
	CHECK_OK(clFinish(env->queue));
	printf("rounds: %d, answer %d\n", done, atomic_load(answer));
	clSVMFree(env->ctx, (void *)(uintptr_t)question);
	clSVMFree(env->ctx, (void *)(uintptr_t)answer);
	CHECK_OK(clReleaseKernel(k));
}

static void counting_together(struct cl_env *env)
{
	cl_kernel k = cl_kernel_new(program, "count");
	_Atomic int *counter = shared(env, 4);
	size_t items = 64;

	REQUIRE(counter);
	CHECK_OK(clSetKernelArgSVMPointer(k, 0, counter));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, k, 1, NULL, &items, NULL, 0, NULL, NULL));
	CHECK_OK(clFlush(env->queue));
	for (int i = 0; i < 100000; i++)
		atomic_fetch_add(counter, 1);
	CHECK_OK(clFinish(env->queue));
	printf("counted: %d\n", atomic_load(counter));
	clSVMFree(env->ctx, (void *)(uintptr_t)counter);
	CHECK_OK(clReleaseKernel(k));
}

struct node {
	struct node *_Atomic next;
	int value;
};

/* Nodes are allocated while the kernel walks: memory that was not there when it began. */
static void growing_list(struct cl_env *env)
{
	enum { NR = 200 };
	cl_kernel k = cl_kernel_new(program, "follow");
	struct node *nodes[NR];
	cl_int nr = NR, *sum = shared(env, 4);
	size_t one = 1;

	nodes[0] = shared(env, sizeof(struct node));
	REQUIRE(nodes[0] && sum);
	CHECK_OK(clSetKernelArgSVMPointer(k, 0, nodes[0]));
	CHECK_OK(clSetKernelArg(k, 1, sizeof(nr), &nr));
	CHECK_OK(clSetKernelArgSVMPointer(k, 2, sum));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, k, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFlush(env->queue));
	cl_sleep_ms(10);
	for (int i = 1; i < NR; i++) {
		nodes[i] = shared(env, 100000);
		REQUIRE(nodes[i]);
		nodes[i]->value = i;
		atomic_store(&nodes[i - 1]->next, nodes[i]);
	}
	CHECK_OK(clFinish(env->queue));
	printf("sum: %d\n", *sum);
	for (int i = 0; i < NR; i++)
		clSVMFree(env->ctx, nodes[i]);
	clSVMFree(env->ctx, sum);
	CHECK_OK(clReleaseKernel(k));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(ping_pong), CL_CASE(counting_together), CL_CASE(growing_list),
		CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
