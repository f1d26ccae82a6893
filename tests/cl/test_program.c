/* SPDX-License-Identifier: MIT */
/* Programs from source: strings and lengths, options, logs, info, callbacks. */
#include "cl_test.h"

#include <stdatomic.h>

static const char two_kernels[] =
	"#ifndef VALUE\n#define VALUE 1\n#endif\n"
	"__kernel void first(__global int *p) { p[get_global_id(0)] = VALUE; }\n"
	"__kernel void second(__global int *p, int v) { p[get_global_id(0)] = v; }\n";

static const char broken[] = "__kernel void broken(__global int *p) { p[0] = not_declared_anywhere; }\n";

static int run_first(struct cl_env *env, cl_program program)
{
	cl_kernel kernel = cl_kernel_new(program, "first");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	size_t one = 1;
	int value = -1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, &value, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	return value;
}

static void create_errors(struct cl_env *env)
{
	const char *good = two_kernels, *none = NULL;
	cl_int err;

	CHECK_FAILS(err, clCreateProgramWithSource(NULL, 1, &good, NULL, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clCreateProgramWithSource(env->ctx, 0, &good, NULL, &err), CL_INVALID_VALUE);
	/* the native driver follows the NULL */
	if (!env->native)
		CHECK_FAILS(err, clCreateProgramWithSource(env->ctx, 1, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithSource(env->ctx, 1, &none, NULL, &err), CL_INVALID_VALUE);
}

/* Pieces with and without a length; a length stops before what follows. */
static void source_in_pieces(struct cl_env *env)
{
	const char *pieces[] = { "__kernel void first(__global int *p) ", "{ p[0] = 41GARBAGE", "; p[0] += 1; }\n" };
	const size_t lengths[] = { 0, 11, strlen(pieces[2]) };
	char text[256] = "";
	cl_int err = -1;
	cl_program program = clCreateProgramWithSource(env->ctx, 3, pieces, lengths, &err);

	CHECK_OK(err);
	REQUIRE(program);
	CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_SOURCE, sizeof(text), text, NULL));
	CHECK(strcmp(text, "__kernel void first(__global int *p) { p[0] = 41; p[0] += 1; }\n") == 0);
	REQUIRE_OK(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	CHECK_EQ(run_first(env, program), 42);
	CHECK_OK(clReleaseProgram(program));
}

static void options(struct cl_env *env)
{
	static const struct {
		const char *text;
		int value;
	} list[] = { { NULL, 1 }, { "", 1 }, { "-DVALUE=7", 7 }, { "-D VALUE=8 -cl-fast-relaxed-math", 8 } };

	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_program program = cl_build(env, two_kernels, list[i].text);
		char text[256] = "x";

		CHECK_EQ(run_first(env, program), list[i].value);
		CHECK_OK(clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_OPTIONS, sizeof(text), text, NULL));
		CHECK(strstr(text, list[i].text ? list[i].text : ""));
		CHECK_OK(clReleaseProgram(program));
	}
}

static void build_failure(struct cl_env *env)
{
	const char *source = broken;
	char log[8192] = "";
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &source, NULL, NULL);
	cl_int err;

	REQUIRE(program);
	CHECK_ERR(clBuildProgram(program, 1, &env->device, NULL, NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
	CHECK_EQ(GET_INFO(cl_build_status, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_STATUS),
		 (cl_build_status)CL_BUILD_ERROR);
	CHECK_OK(clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL));
	CHECK(strstr(log, "not_declared_anywhere"));
	CHECK_FAILS(err, clCreateKernel(program, "broken", &err), CL_INVALID_PROGRAM_EXECUTABLE);
	/* it can be tried again, with the name defined */
	CHECK_OK(clBuildProgram(program, 1, &env->device, "-Dnot_declared_anywhere=3", NULL, NULL));
	CHECK_EQ(GET_INFO(cl_build_status, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_STATUS),
		 CL_BUILD_SUCCESS);
	CHECK_OK(clReleaseProgram(program));
}

static void build_errors(struct cl_env *env)
{
	const char *source = two_kernels;
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &source, NULL, NULL);
	cl_int err;

	CHECK_ERR(clBuildProgram(NULL, 1, &env->device, NULL, NULL, NULL), CL_INVALID_PROGRAM);
	CHECK_ERR(clBuildProgram(program, 1, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clBuildProgram(program, 0, &env->device, NULL, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clBuildProgram(program, 1, &env->device, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_ERR(clBuildProgram(program, 1, &env->device, "-no-such-option", NULL, NULL), CL_INVALID_BUILD_OPTIONS);
	CHECK_FAILS(err, clCreateKernel(program, "first", &err), CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_EQ(GET_INFO(cl_uint, clGetProgramInfo, program, CL_PROGRAM_REFERENCE_COUNT), 1);
	CHECK_OK(clReleaseProgram(program));
}

/* A program with kernels is not built again. */
static void build_with_kernels_attached(struct cl_env *env)
{
	cl_program program = cl_build(env, two_kernels, NULL);
	cl_kernel kernel = cl_kernel_new(program, "first");

	CHECK_ERR(clBuildProgram(program, 1, &env->device, NULL, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clBuildProgram(program, 1, &env->device, "-DVALUE=9", NULL, NULL));
	CHECK_EQ(run_first(env, program), 9);
	CHECK_OK(clReleaseProgram(program));
}

static void info(struct cl_env *env)
{
	cl_program program = cl_build(env, two_kernels, NULL);
	char text[1024] = "";

	CHECK_INFO(sizeof(cl_uint), clGetProgramInfo, program, CL_PROGRAM_REFERENCE_COUNT);
	CHECK_INFO(sizeof(cl_context), clGetProgramInfo, program, CL_PROGRAM_CONTEXT);
	CHECK_INFO(sizeof(cl_uint), clGetProgramInfo, program, CL_PROGRAM_NUM_DEVICES);
	CHECK_INFO(sizeof(cl_device_id), clGetProgramInfo, program, CL_PROGRAM_DEVICES);
	CHECK_INFO(sizeof(two_kernels), clGetProgramInfo, program, CL_PROGRAM_SOURCE);
	CHECK_INFO(sizeof(size_t), clGetProgramInfo, program, CL_PROGRAM_NUM_KERNELS);
	CHECK_INFO(ANY_SIZE, clGetProgramInfo, program, CL_PROGRAM_KERNEL_NAMES);
	CHECK(GET_INFO(cl_context, clGetProgramInfo, program, CL_PROGRAM_CONTEXT) == env->ctx);
	CHECK(GET_INFO(cl_device_id, clGetProgramInfo, program, CL_PROGRAM_DEVICES) == env->device);
	CHECK_EQ(GET_INFO(cl_uint, clGetProgramInfo, program, CL_PROGRAM_NUM_DEVICES), 1);
	CHECK_EQ(GET_INFO(size_t, clGetProgramInfo, program, CL_PROGRAM_NUM_KERNELS), 2);
	CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_SOURCE, sizeof(text), text, NULL));
	CHECK(strcmp(text, two_kernels) == 0);
	CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, sizeof(text), text, NULL));
	CHECK(strcmp(text, "first;second") == 0 || strcmp(text, "second;first") == 0);
	CHECK_ERR(clGetProgramInfo(program, 0xbad, sizeof(text), text, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetProgramInfo(NULL, CL_PROGRAM_CONTEXT, sizeof(text), text, NULL), CL_INVALID_PROGRAM);
	CHECK_OK(clReleaseProgram(program));
}

static void build_info(struct cl_env *env)
{
	cl_program program = cl_build(env, two_kernels, "-DVALUE=2");
	char text[64];

	CHECK_INFO(sizeof(cl_build_status), clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_STATUS);
	CHECK_INFO(ANY_SIZE, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_OPTIONS);
	CHECK_INFO(ANY_SIZE, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_LOG);
	CHECK_INFO(sizeof(cl_program_binary_type), clGetProgramBuildInfo, program, env->device,
		   CL_PROGRAM_BINARY_TYPE);
	CHECK_INFO(sizeof(size_t), clGetProgramBuildInfo, program, env->device,
		   CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE);
	CHECK_EQ(GET_INFO(cl_program_binary_type, clGetProgramBuildInfo, program, env->device,
			  CL_PROGRAM_BINARY_TYPE), CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	CHECK_ERR(clGetProgramBuildInfo(program, env->device, 0xbad, sizeof(text), text, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetProgramBuildInfo(program, NULL, CL_PROGRAM_BUILD_STATUS, sizeof(text), text, NULL),
		  CL_INVALID_DEVICE);
	CHECK_OK(clReleaseProgram(program));
}

static void unbuilt(struct cl_env *env)
{
	const char *source = two_kernels;
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &source, NULL, NULL);
	char text[64];
	cl_uint count = 0;

	REQUIRE(program);
	CHECK_EQ(GET_INFO(cl_build_status, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BUILD_STATUS),
		 (cl_build_status)CL_BUILD_NONE);
	CHECK_EQ(GET_INFO(cl_program_binary_type, clGetProgramBuildInfo, program, env->device,
			  CL_PROGRAM_BINARY_TYPE), CL_PROGRAM_BINARY_TYPE_NONE);
	CHECK_ERR(clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof(text), text, NULL),
		  CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_ERR(clGetProgramInfo(program, CL_PROGRAM_KERNEL_NAMES, sizeof(text), text, NULL),
		  CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_ERR(clCreateKernelsInProgram(program, 0, NULL, &count), CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_OK(clReleaseProgram(program));
}

static atomic_int called;

static void CL_CALLBACK on_built(cl_program program, void *user)
{
	*(cl_program *)user = program;
	atomic_store(&called, 1);
}

static void build_with_callback(struct cl_env *env)
{
	const char *sources[] = { two_kernels, broken };

	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		cl_program program = clCreateProgramWithSource(env->ctx, 1, &sources[i], NULL, NULL), seen = NULL;
		cl_int err;

		atomic_store(&called, 0);
		err = clBuildProgram(program, 1, &env->device, NULL, on_built, &seen);
		CHECK(err == CL_SUCCESS || (i == 1 && err == CL_BUILD_PROGRAM_FAILURE));
		for (int j = 0; j < 2000 && !atomic_load(&called); j++)
			cl_sleep_ms(10);
		CHECK(atomic_load(&called));
		CHECK(seen == program);
		CHECK_EQ(GET_INFO(cl_build_status, clGetProgramBuildInfo, program, env->device,
				  CL_PROGRAM_BUILD_STATUS),
			 (cl_build_status)(i == 0 ? CL_BUILD_SUCCESS : CL_BUILD_ERROR));
		CHECK_OK(clReleaseProgram(program));
	}
}

static void counts(struct cl_env *env)
{
	cl_program program = cl_build(env, two_kernels, NULL);
	cl_kernel kernel;

	CHECK_OK(clRetainProgram(program));
	CHECK_EQ(GET_INFO(cl_uint, clGetProgramInfo, program, CL_PROGRAM_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseProgram(program));
	CHECK_ERR(clRetainProgram(NULL), CL_INVALID_PROGRAM);
	CHECK_ERR(clReleaseProgram(NULL), CL_INVALID_PROGRAM);
	/* the kernel keeps its program */
	kernel = cl_kernel_new(program, "first");
	CHECK_OK(clReleaseProgram(program));
	CHECK(GET_INFO(cl_program, clGetKernelInfo, kernel, CL_KERNEL_PROGRAM) == program);
	CHECK_OK(clReleaseKernel(kernel));
}

/* A hint only: builds after it still work. */
static void unload_compiler(struct cl_env *env)
{
	cl_program program;

	CHECK_OK(clUnloadPlatformCompiler(env->platform));
	CHECK_OK(clUnloadCompiler());
	program = cl_build(env, two_kernels, "-DVALUE=11");
	CHECK_EQ(run_first(env, program), 11);
	CHECK_OK(clReleaseProgram(program));
}

static void not_offered(struct cl_env *env)
{
	char il[32] = { 0 };
	cl_int err = 0;
	cl_program program = clCreateProgramWithIL(env->ctx, il, sizeof(il), &err);

	CHECK(!program);
	CHECK_ERR_OR(err, CL_INVALID_OPERATION, CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithBuiltInKernels(env->ctx, 1, &env->device, "no.such.kernel", &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithBuiltInKernels(env->ctx, 1, &env->device, NULL, &err),
		    CL_INVALID_VALUE);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create_errors), CL_CASE(source_in_pieces), CL_CASE(options), CL_CASE(build_failure),
		CL_CASE(build_errors), CL_CASE(build_with_kernels_attached), CL_CASE(info), CL_CASE(build_info),
		CL_CASE(unbuilt), CL_CASE(build_with_callback), CL_CASE(counts), CL_CASE(unload_compiler),
		CL_CASE(not_offered), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
