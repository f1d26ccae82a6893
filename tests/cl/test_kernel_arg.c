/* SPDX-License-Identifier: MIT */
/* clSetKernelArg: every kind of argument, errors, and when a value is taken. */
#include "cl_test.h"

static cl_program program;
static cl_mem out_mem;

struct sample {
	cl_int a;
	cl_char b;
	cl_double c;
	cl_short d[3];
};

static const char source[] =
	"struct sample { int a; char b; double c; short d[3]; };\n"
	"__kernel void kinds(__global int *out, char c, short s, int i, long l, float f, double d, int4 v,\n"
	"	struct sample t, __local int *scratch, __constant int *table)\n"
	"{\n"
	"	scratch[0] = table[1];\n"
	"	out[0] = c; out[1] = s; out[2] = i; out[3] = (int)(l >> 32); out[4] = (int)f; out[5] = (int)d;\n"
	"	out[6] = v.x; out[7] = v.w; out[8] = t.a; out[9] = t.b; out[10] = (int)t.c; out[11] = t.d[2];\n"
	"	out[12] = scratch[0];\n"
	"}\n"
	"__kernel void put(__global int *out, int at, int v) { out[at] = v; }\n"
	"__kernel void is_null(__global int *out, __global int *p) { out[0] = p == 0 ? 11 : 22; }\n"
	"__kernel void sum_local(__global int *out, __local int *l, int n)\n"
	"{\n"
	"	int i = get_local_id(0), total = 0;\n"
	"	l[i] = i;\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	for (int j = 0; j < n; j++)\n"
	"		total += l[j];\n"
	"	out[get_global_id(0)] = total;\n"
	"}\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
	out_mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
}

static void read_out(struct cl_env *env, cl_int *out, size_t count)
{
	CHECK_OK(clEnqueueReadBuffer(env->queue, out_mem, CL_TRUE, 0, count * 4, out, 0, NULL, NULL));
}

static void every_kind(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "kinds");
	const struct sample t = { 808, -9, 1010.5, { 1, 2, -1111 } };
	static cl_int numbers[] = { 5, 1212 };
	cl_mem table = cl_buffer(env, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof(numbers), numbers);
	const cl_char c = -1;
	const cl_short s = -202;
	const cl_int i = 303030;
	const cl_long l = (cl_long)404 << 32;
	const cl_float f = 505.25f;
	const cl_double d = -606.75;
	const cl_int4 v = { { 66, 0, 0, 77 } };
	const struct {
		size_t size;
		const void *value;
	} args[] = { { sizeof(cl_mem), &out_mem }, { sizeof(c), &c }, { sizeof(s), &s }, { sizeof(i), &i },
		     { sizeof(l), &l }, { sizeof(f), &f }, { sizeof(d), &d }, { sizeof(v), &v }, { sizeof(t), &t },
		     { 64, NULL }, { sizeof(cl_mem), &table } };
	static const cl_int want[] = { -1, -202, 303030, 404, 505, -606, 66, 77, 808, -9, 1010, -1111, 1212 };
	cl_int out[COUNT_OF(want)] = { 0 };
	size_t one = 1;

	for (cl_uint n = 0; n < COUNT_OF(args); n++)
		CHECK_OK(clSetKernelArg(kernel, n, args[n].size, args[n].value));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	read_out(env, out, COUNT_OF(want));
	for (size_t n = 0; n < COUNT_OF(want); n++)
		if (!CHECK(out[n] == want[n]))
			fprintf(stderr, "  argument result %zu is %d, not %d\n", n, out[n], want[n]);
	CHECK_OK(clReleaseMemObject(table));
	CHECK_OK(clReleaseKernel(kernel));
}

static void errors(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "kinds");
	cl_int four[4] = { 0 };
	cl_mem none = NULL;

	(void)env;
	CHECK_ERR(clSetKernelArg(NULL, 0, sizeof(cl_mem), &out_mem), CL_INVALID_KERNEL);
	CHECK_ERR(clSetKernelArg(kernel, 11, 4, four), CL_INVALID_ARG_INDEX);
	CHECK_ERR(clSetKernelArg(kernel, 0xffffffff, 4, four), CL_INVALID_ARG_INDEX);
	CHECK_ERR(clSetKernelArg(kernel, 0, 4, &out_mem), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 0, 0, NULL), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 3, 8, four), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 3, 2, four), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 3, 0, four), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 7, 20, four), CL_INVALID_ARG_SIZE);
	/* the native driver takes three elements for four */
	CHECK_ERR_OR(clSetKernelArg(kernel, 7, 12, four), CL_INVALID_ARG_SIZE, CL_SUCCESS);
	CHECK_ERR(clSetKernelArg(kernel, 3, 4, NULL), CL_INVALID_ARG_VALUE);
	CHECK_ERR(clSetKernelArg(kernel, 9, 0, NULL), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 9, 64, four), CL_INVALID_ARG_VALUE);
	CHECK_OK(clSetKernelArg(kernel, 10, sizeof(cl_mem), &none));
	CHECK_OK(clSetKernelArg(kernel, 10, sizeof(cl_mem), NULL));
	CHECK_OK(clReleaseKernel(kernel));
}

static void not_all_set(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "put");
	cl_int v = 1;
	size_t one = 1;

	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL),
		  CL_INVALID_KERNEL_ARGS);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &out_mem));
	CHECK_OK(clSetKernelArg(kernel, 2, 4, &v));
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL),
		  CL_INVALID_KERNEL_ARGS);
	CHECK_ERR(clEnqueueTask(env->queue, kernel, 0, NULL, NULL), CL_INVALID_KERNEL_ARGS);
	CHECK_OK(clSetKernelArg(kernel, 1, 4, &v));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseKernel(kernel));
}

static void null_buffer(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "is_null");
	cl_mem none = NULL, other = cl_buffer(env, CL_MEM_READ_WRITE, 64, NULL);
	const struct {
		const void *value;
		cl_int want;
	} list[] = { { NULL, 11 }, { &other, 22 }, { &none, 11 } };
	size_t one = 1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &out_mem));
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_int out = 0;

		CHECK_OK(clSetKernelArg(kernel, 1, sizeof(cl_mem), list[i].value));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
		read_out(env, &out, 1);
		CHECK(out == list[i].want);
	}
	CHECK_OK(clReleaseMemObject(other));
	CHECK_OK(clReleaseKernel(kernel));
}

/* The values are those at the enqueue: one kernel object, changed in between. */
static void changed_between_enqueues(struct cl_env *env)
{
	enum { COUNT = 1000 };
	cl_kernel kernel = cl_kernel_new(program, "put");
	cl_event gate = clCreateUserEvent(env->ctx, NULL), first = NULL;
	cl_int *out = calloc(COUNT, 4);
	size_t one = 1;
	bool right = true;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &out_mem));
	for (cl_int i = 0; i < COUNT; i++) {
		cl_int v = 3 * i + 1;

		CHECK_OK(clSetKernelArg(kernel, 1, 4, &i));
		CHECK_OK(clSetKernelArg(kernel, 2, 4, &v));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, i == 0, i == 0 ? &gate : NULL,
						i == 0 ? &first : NULL));
	}
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	read_out(env, out, COUNT);
	for (cl_int i = 0; i < COUNT; i++)
		right &= out[i] == 3 * i + 1;
	CHECK(right);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(first));
	CHECK_OK(clReleaseKernel(kernel));
	free(out);
}

/* The native driver does not know how large a struct is. */
static void struct_size(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "kinds");
	const struct sample t = { 0 };

	(void)env;
	CHECK_ERR_OR(clSetKernelArg(kernel, 8, sizeof(t) - 1, &t), CL_INVALID_ARG_SIZE, CL_SUCCESS);
	CHECK_OK(clSetKernelArg(kernel, 8, sizeof(t), &t));
	CHECK_OK(clReleaseKernel(kernel));
}

/* A buffer set as an argument, released, and used all the same. */
static void buffer_released_after_enqueue(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "put");
	size_t one = 1;

	for (cl_int i = 0; i < 50; i++) {
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);
		cl_int out = -1;

		CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &mem));
		CHECK_OK(clSetKernelArg(kernel, 1, 4, &i));
		CHECK_OK(clSetKernelArg(kernel, 2, 4, &i));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_FALSE, (size_t)i * 4, 4, &out, 0, NULL, NULL));
		CHECK_OK(clReleaseMemObject(mem));
		CHECK_OK(clFinish(env->queue));
		CHECK(out == i);
	}
	CHECK_OK(clReleaseKernel(kernel));
}

static void local_sizes(struct cl_env *env)
{
	static const cl_int sizes[] = { 1, 4, 64, 256 };
	cl_kernel kernel = cl_kernel_new(program, "sum_local");

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &out_mem));
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t local = (size_t)sizes[i], global = local * 2;
		cl_int out[512] = { 0 };

		CHECK_OK(clSetKernelArg(kernel, 1, local * sizeof(cl_int), NULL));
		CHECK_OK(clSetKernelArg(kernel, 2, 4, &sizes[i]));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &global, &local, 0, NULL, NULL));
		read_out(env, out, global);
		CHECK(out[0] == sizes[i] * (sizes[i] - 1) / 2);
		CHECK(out[global - 1] == out[0]);
	}
	CHECK_OK(clReleaseKernel(kernel));
}

/* The native driver aborts on this. */
static void too_much_local(struct cl_env *env)
{
	cl_ulong max = GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_LOCAL_MEM_SIZE);
	cl_kernel kernel = cl_kernel_new(program, "sum_local");
	cl_int n = 1, err;
	size_t one = 1;

	if (env->native) {
		CHECK_OK(clReleaseKernel(kernel));
		return;
	}
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &out_mem));
	CHECK_OK(clSetKernelArg(kernel, 2, 4, &n));
	err = clSetKernelArg(kernel, 1, max * 4, NULL);
	if (!err)
		err = clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL);
	CHECK(err == CL_OUT_OF_RESOURCES || err == CL_INVALID_ARG_SIZE || err == CL_INVALID_WORK_GROUP_SIZE);
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseKernel(kernel));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseMemObject(out_mem));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(every_kind), CL_CASE(errors), CL_CASE(not_all_set), CL_CASE(null_buffer),
		CL_CASE(struct_size),
		CL_CASE(changed_between_enqueues), CL_CASE(buffer_released_after_enqueue), CL_CASE(local_sizes),
		CL_CASE(too_much_local), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
