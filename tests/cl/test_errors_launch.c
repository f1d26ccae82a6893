/* SPDX-License-Identifier: MIT */
/* Wrong launches: sizes, arguments, objects, alone and together. */
#include "cl_outcome.h"

static const char source[] =
	"__kernel void plain(__global int *p, int v) { if (p) p[get_global_id(0) % 64] = v; }\n"
	"__kernel __attribute__((reqd_work_group_size(4, 2, 1))) void fixed(__global int *p, int v) { p[0] = v; }\n"
	"__kernel void local_memory(__global int *p, __local int *l) { l[get_local_id(0)] = 1; p[0] = l[0]; }\n"
	"__kernel void nothing(void) { }\n";

struct sizes_case {
	const char *name;
	cl_uint dims;
	const size_t *offset, *global, *local;
};

#define SIZES(...) ((const size_t[3]){ __VA_ARGS__ })

static const struct sizes_case all_sizes[] = {
	{ "1", 1, NULL, SIZES(8), NULL },
	{ "1, local", 1, NULL, SIZES(8), SIZES(4) },
	{ "2, local", 2, NULL, SIZES(8, 4), SIZES(4, 2) },
	{ "3, local", 3, SIZES(1, 2, 3), SIZES(8, 4, 2), SIZES(4, 2, 1) },
	{ "3", 3, SIZES(1, 2, 3), SIZES(8, 4, 2), NULL },
	{ "0 dimensions", 0, NULL, SIZES(8), NULL },
	{ "4 dimensions", 4, NULL, SIZES(8, 1, 1), NULL },
	{ "4 billion dimensions", UINT32_MAX, NULL, SIZES(8, 1, 1), NULL },
	{ "global 0", 1, NULL, SIZES(0), NULL },
	{ "global 0, local", 1, NULL, SIZES(0), SIZES(4) },
	{ "global 4, 0", 2, NULL, SIZES(4, 0), NULL },
	{ "global 4, 0, local", 2, NULL, SIZES(4, 0), SIZES(4, 2) },
	{ "local 0", 1, NULL, SIZES(8), SIZES(0) },
	{ "local 4, 0", 2, NULL, SIZES(8, 8), SIZES(4, 0) },
	{ "not a multiple", 1, NULL, SIZES(10), SIZES(4) },
	{ "second not a multiple", 2, NULL, SIZES(8, 5), SIZES(4, 2) },
	{ "local larger", 1, NULL, SIZES(4), SIZES(8) },
	{ "local 8192", 1, NULL, SIZES(8192), SIZES(8192) },
	{ "local 8192, not a multiple", 1, NULL, SIZES(8193), SIZES(8192) },
	{ "local 128 by 64", 2, NULL, SIZES(128, 64), SIZES(128, 64) },
	{ "local overflows", 3, NULL, SIZES(8, 8, 8), SIZES(1ull << 32, 1ull << 32, 1) },
	{ "offset overflows", 1, SIZES(SIZE_MAX), SIZES(8), NULL },
	{ "offset overflows, 0 dimensions", 0, SIZES(SIZE_MAX), SIZES(8), NULL },
	{ "offset overflows, local 0", 1, SIZES(SIZE_MAX), SIZES(8), SIZES(0) },
	{ "wrong multiple of the fixed one", 2, NULL, SIZES(8, 8), SIZES(8, 2) },
};

/* Natively, a division by zero; missing lists and kernels are looked into, too. */
static bool crashes(const struct sizes_case *sizes)
{
	bool is_zero = false;

	for (cl_uint i = 0; sizes->local && i < sizes->dims && i < 3; i++)
		is_zero |= !sizes->local[i];
	return is_zero;
}

static cl_kernel make(const struct cl_env *env, cl_program program, const char *name, cl_mem buffer)
{
	cl_kernel kernel = cl_kernel_new(program, name);
	int v = 1;

	if (buffer) {
		CHECK_OK(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer));
		if (strcmp(name, "local_memory"))
			CHECK_OK(clSetKernelArg(kernel, 1, sizeof(v), &v));
		else
			CHECK_OK(clSetKernelArg(kernel, 1, 64 * sizeof(v), NULL));
	}
	return kernel;
}

static void ndrange(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;
	cl_program program = cl_build(env, source, NULL);

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr kernels[] = { { "plain", make(env, program, "plain", w.buffer) },
					       { "fixed", make(env, program, "fixed", w.buffer) },
					       { "local", make(env, program, "local_memory", w.buffer) },
					       { "without arguments", make(env, program, "nothing", NULL) },
					       { "unset", make(env, program, "plain", NULL) }, { "NULL", NULL } },
							*kernel;
		const struct sizes_case *sizes;

		EACH(queue, queues) EACH(kernel, kernels) EACH(sizes, all_sizes) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code;

			if (crashes(sizes) || (wait->nr && !wait->list) || !kernel->value)
				continue;
			code = clEnqueueNDRangeKernel(queue->value, kernel->value, sizes->dims, sizes->offset,
					sizes->global,
						      sizes->local, wait->nr, wait->list, &event);
			outcome_event("clEnqueueNDRangeKernel", code, event, "queue %s, kernel %s, sizes %s, waits %s",
				      queue->name, kernel->name, sizes->name, wait->name);
		}
		EACH(queue, queues) EACH(kernel, kernels) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code;

			if ((wait->nr && !wait->list) || !kernel->value)
				continue;
			code = clEnqueueTask(queue->value, kernel->value, wait->nr, wait->list, &event);
			outcome_event("clEnqueueTask", code, event, "queue %s, kernel %s, waits %s", queue->name,
					kernel->name,
				      wait->name);
		}
		CHECK_OK(clFinish(env->queue));
		EACH(kernel, kernels)
			if (kernel->value)
				CHECK_OK(clReleaseKernel(kernel->value));
	}
	CHECK_OK(clReleaseProgram(program));
	outcome_close(&w);
}

static void odd_arguments(struct cl_env *env)
{
	struct outcome_world w;
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel, local;
	size_t size = 4, group = 4;
	cl_mem none = NULL;
	int v = 1;

	outcome_open(&w, env);
	kernel = make(env, program, "plain", w.buffer);
	local = make(env, program, "local_memory", w.buffer);
	outcome("clSetKernelArg", clSetKernelArg(kernel, 0, sizeof(none), &none), "a NULL buffer");
	outcome("clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &size, NULL, 0, NULL,
			NULL),
		"a NULL buffer");
	outcome("clSetKernelArg", clSetKernelArg(kernel, 0, sizeof(none), NULL), "no value");
	outcome("clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &size, NULL, 0, NULL,
			NULL),
		"no value");
	outcome("clSetKernelArg", clSetKernelArg(kernel, 1, sizeof(v), NULL), "no value for an int");
	outcome("clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &size, &group, 0,
			NULL, NULL),
		"no value for an int");
	CHECK_OK(clSetKernelArg(local, 1, 16, NULL));
	outcome("clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(env->queue, local, 1, NULL, &size, &group, 0, NULL,
			NULL),
		"local memory of 16 bytes");
	outcome("clFinish", clFinish(env->queue), "after those");
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseKernel(local));
	CHECK_OK(clReleaseProgram(program));
	outcome_close(&w);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(ndrange), CL_CASE(odd_arguments), { NULL, NULL } };

	return cl_test_main(argc, argv, cases, 0);
}
