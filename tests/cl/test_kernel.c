/* SPDX-License-Identifier: MIT */
/* Kernel objects: create one and all, info, work-group info, counts, clone. */
#include "cl_test.h"

static cl_program program;

static const char source[] =
	"__kernel void plain(__global int *p) { p[0] = 1; }\n"
	"__kernel __attribute__((reqd_work_group_size(8, 4, 2))) void sized(__global int *p) { p[0] = 2; }\n"
	"__kernel __attribute__((work_group_size_hint(16, 1, 1))) void hinted(__global int *p, int v) { p[0] = v; }\n"
	"__kernel __attribute__((vec_type_hint(float4))) void vectors(__global float4 *p) { p[0] *= 2.0f; }\n"
	"__kernel void with_local(__global int *p, __local int *l) { __local int own[64];\n"
	"	own[get_local_id(0)] = 1; l[get_local_id(0)] = 2; barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	p[get_global_id(0)] = own[0] + l[0]; }\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
}

static void create_errors(struct cl_env *env)
{
	cl_int err;

	(void)env;
	CHECK_FAILS(err, clCreateKernel(NULL, "plain", &err), CL_INVALID_PROGRAM);
	CHECK_FAILS(err, clCreateKernel(program, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateKernel(program, "nothing", &err), CL_INVALID_KERNEL_NAME);
	CHECK_FAILS(err, clCreateKernel(program, "", &err), CL_INVALID_KERNEL_NAME);
	CHECK(!clCreateKernel(program, "nothing", NULL));
}

static void create_all(struct cl_env *env)
{
	cl_kernel kernels[8] = { NULL };
	cl_uint count = 0;

	(void)env;
	CHECK_OK(clCreateKernelsInProgram(program, 0, NULL, &count));
	CHECK_EQ(count, 5);
	CHECK_ERR(clCreateKernelsInProgram(program, 4, kernels, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clCreateKernelsInProgram(NULL, 8, kernels, &count), CL_INVALID_PROGRAM);
	REQUIRE_OK(clCreateKernelsInProgram(program, 8, kernels, &count));
	CHECK_EQ(count, 5);
	for (cl_uint i = 0; i < count; i++) {
		char name[64] = "";

		CHECK_OK(clGetKernelInfo(kernels[i], CL_KERNEL_FUNCTION_NAME, sizeof(name), name, NULL));
		CHECK(strstr("plain sized hinted vectors with_local", name));
		CHECK_OK(clReleaseKernel(kernels[i]));
	}
}

static void info(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "hinted");
	char name[64] = "";

	CHECK_INFO(sizeof("hinted"), clGetKernelInfo, kernel, CL_KERNEL_FUNCTION_NAME);
	CHECK_INFO(sizeof(cl_uint), clGetKernelInfo, kernel, CL_KERNEL_NUM_ARGS);
	CHECK_INFO(sizeof(cl_uint), clGetKernelInfo, kernel, CL_KERNEL_REFERENCE_COUNT);
	CHECK_INFO(sizeof(cl_context), clGetKernelInfo, kernel, CL_KERNEL_CONTEXT);
	CHECK_INFO(sizeof(cl_program), clGetKernelInfo, kernel, CL_KERNEL_PROGRAM);
	CHECK_OK(clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof(name), name, NULL));
	CHECK(strcmp(name, "hinted") == 0);
	CHECK_EQ(GET_INFO(cl_uint, clGetKernelInfo, kernel, CL_KERNEL_NUM_ARGS), 2);
	CHECK(GET_INFO(cl_context, clGetKernelInfo, kernel, CL_KERNEL_CONTEXT) == env->ctx);
	CHECK(GET_INFO(cl_program, clGetKernelInfo, kernel, CL_KERNEL_PROGRAM) == program);
	CHECK_ERR(clGetKernelInfo(kernel, 0xbad, sizeof(name), name, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetKernelInfo(NULL, CL_KERNEL_NUM_ARGS, sizeof(name), name, NULL), CL_INVALID_KERNEL);
	CHECK_OK(clReleaseKernel(kernel));
}

static void attributes(struct cl_env *env)
{
	static const struct {
		const char *kernel, *attribute;
	} list[] = { { "sized", "reqd_work_group_size" }, { "hinted", "work_group_size_hint" },
		     { "vectors", "vec_type_hint" } };
	char text[256];

	(void)env;
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_kernel kernel = cl_kernel_new(program, list[i].kernel);

		memset(text, 0, sizeof(text));
		CHECK_OK(clGetKernelInfo(kernel, CL_KERNEL_ATTRIBUTES, sizeof(text), text, NULL));
		if (text[0])
			CHECK(strstr(text, list[i].attribute));
		CHECK_OK(clReleaseKernel(kernel));
	}
}

static void work_group_info(struct cl_env *env)
{
	cl_kernel sized = cl_kernel_new(program, "sized"), plain = cl_kernel_new(program, "plain");
	size_t required[3] = { 9, 9, 9 };
	size_t max = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_MAX_WORK_GROUP_SIZE), got;

	CHECK_INFO(sizeof(size_t), clGetKernelWorkGroupInfo, plain, env->device, CL_KERNEL_WORK_GROUP_SIZE);
	CHECK_INFO(3 * sizeof(size_t), clGetKernelWorkGroupInfo, plain, env->device,
		   CL_KERNEL_COMPILE_WORK_GROUP_SIZE);
	CHECK_INFO(sizeof(cl_ulong), clGetKernelWorkGroupInfo, plain, env->device, CL_KERNEL_LOCAL_MEM_SIZE);
	CHECK_INFO(sizeof(size_t), clGetKernelWorkGroupInfo, plain, env->device,
		   CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE);
	CHECK_INFO(sizeof(cl_ulong), clGetKernelWorkGroupInfo, plain, env->device, CL_KERNEL_PRIVATE_MEM_SIZE);
	CHECK_OK(clGetKernelWorkGroupInfo(sized, env->device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(required),
					  required, NULL));
	CHECK(required[0] == 8 && required[1] == 4 && required[2] == 2);
	CHECK_OK(clGetKernelWorkGroupInfo(plain, env->device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(required),
					  required, NULL));
	CHECK(required[0] == 0 && required[1] == 0 && required[2] == 0);
	got = GET_INFO(size_t, clGetKernelWorkGroupInfo, plain, env->device, CL_KERNEL_WORK_GROUP_SIZE);
	CHECK(got >= 1 && got <= max);
	CHECK(GET_INFO(size_t, clGetKernelWorkGroupInfo, plain, env->device,
		       CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE) >= 1);
	/* with one device in the context it need not be named */
	CHECK_EQ(GET_INFO(size_t, clGetKernelWorkGroupInfo, plain, NULL, CL_KERNEL_WORK_GROUP_SIZE), got);
	CHECK_ERR(clGetKernelWorkGroupInfo(plain, env->device, 0xbad, sizeof(required), required, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clGetKernelWorkGroupInfo(NULL, env->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof(required), required,
					   NULL), CL_INVALID_KERNEL);
	CHECK_ERR(clGetKernelWorkGroupInfo(plain, env->device, CL_KERNEL_GLOBAL_WORK_SIZE, sizeof(required), required,
					   NULL), CL_INVALID_VALUE);
	CHECK_OK(clReleaseKernel(sized));
	CHECK_OK(clReleaseKernel(plain));
}

/* Local memory of a kernel: its own arrays, and its arguments once set. */
static void local_memory_size(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "with_local");
	cl_ulong before, after;

	before = GET_INFO(cl_ulong, clGetKernelWorkGroupInfo, kernel, env->device, CL_KERNEL_LOCAL_MEM_SIZE);
	CHECK_OK(clSetKernelArg(kernel, 1, 4096, NULL));
	after = GET_INFO(cl_ulong, clGetKernelWorkGroupInfo, kernel, env->device, CL_KERNEL_LOCAL_MEM_SIZE);
	CHECK(before >= 64 * sizeof(int));
	CHECK_EQ(after, before + 4096);
	CHECK_OK(clReleaseKernel(kernel));
}

static void counts(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "plain");

	(void)env;
	CHECK_EQ(GET_INFO(cl_uint, clGetKernelInfo, kernel, CL_KERNEL_REFERENCE_COUNT), 1);
	CHECK_OK(clRetainKernel(kernel));
	CHECK_EQ(GET_INFO(cl_uint, clGetKernelInfo, kernel, CL_KERNEL_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_ERR(clRetainKernel(NULL), CL_INVALID_KERNEL);
	CHECK_ERR(clReleaseKernel(NULL), CL_INVALID_KERNEL);
}

/* A clone has the arguments, and its own from then on. */
static void clone(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program, "hinted"), copy;
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	int value = 5, out = 0;
	size_t one = 1;
	cl_int err = -1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(value), &value));
	copy = clCloneKernel(kernel, &err);
	CHECK_OK(err);
	REQUIRE(copy);
	value = 6;
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(value), &value));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, copy, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, &out, 0, NULL, NULL));
	CHECK_EQ(out, 5);
	CHECK_FAILS(err, clCloneKernel(NULL, &err), CL_INVALID_KERNEL);
	CHECK_OK(clReleaseKernel(copy));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(mem));
}

/* A kernel released behind its enqueue still runs. */
static void released_while_in_use(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), done = NULL;
	cl_kernel kernel = cl_kernel_new(program, "hinted");
	int value = 77, out = 0;
	size_t one = 1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(value), &value));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 1, &gate, &done));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, &out, 0, NULL, NULL));
	CHECK_EQ(out, 77);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(done));
	CHECK_OK(clReleaseMemObject(mem));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(create_errors), CL_CASE(create_all), CL_CASE(info), CL_CASE(attributes),
		CL_CASE(work_group_info), CL_CASE(local_memory_size), CL_CASE(counts), CL_CASE(clone),
		CL_CASE(released_while_in_use), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
