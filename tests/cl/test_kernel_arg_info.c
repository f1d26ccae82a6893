/* SPDX-License-Identifier: MIT */
/* clGetKernelArgInfo, with and without -cl-kernel-arg-info. */
#include "cl_test.h"

static const char source[] =
	"__kernel void k(__global const float *restrict in, __local int *scratch, __constant uint *table,\n"
	"	float4 scale, volatile __global int *flag) { flag[0] = (int)(in[0] * scale.x) + table[0]; scratch[0] = 1; }\n";

static const struct {
	const char *name, *type;
	cl_kernel_arg_address_qualifier address;
	cl_kernel_arg_type_qualifier qualifier;
} args[] = {
	{ "in", "float*", CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_TYPE_CONST | CL_KERNEL_ARG_TYPE_RESTRICT },
	{ "scratch", "int*", CL_KERNEL_ARG_ADDRESS_LOCAL, CL_KERNEL_ARG_TYPE_NONE },
	{ "table", "uint*", CL_KERNEL_ARG_ADDRESS_CONSTANT, CL_KERNEL_ARG_TYPE_CONST },
	{ "scale", "float4", CL_KERNEL_ARG_ADDRESS_PRIVATE, CL_KERNEL_ARG_TYPE_NONE },
	{ "flag", "int*", CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_TYPE_VOLATILE },
};

static void kept(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-cl-kernel-arg-info");
	cl_kernel kernel = cl_kernel_new(program, "k");
	char text[64];

	for (cl_uint i = 0; i < COUNT_OF(args); i++) {
		CHECK_EQ(GET_INFO(cl_kernel_arg_address_qualifier, clGetKernelArgInfo, kernel, i,
				  CL_KERNEL_ARG_ADDRESS_QUALIFIER), args[i].address);
		CHECK_EQ(GET_INFO(cl_kernel_arg_access_qualifier, clGetKernelArgInfo, kernel, i,
				  CL_KERNEL_ARG_ACCESS_QUALIFIER), CL_KERNEL_ARG_ACCESS_NONE);
		CHECK_EQ(GET_INFO(cl_kernel_arg_type_qualifier, clGetKernelArgInfo, kernel, i,
				  CL_KERNEL_ARG_TYPE_QUALIFIER), args[i].qualifier);
		CHECK_OK(clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof(text), text, NULL));
		CHECK(strcmp(text, args[i].type) == 0);
		CHECK_OK(clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL));
		CHECK(strcmp(text, args[i].name) == 0);
	}
	CHECK_INFO(sizeof(cl_kernel_arg_address_qualifier), clGetKernelArgInfo, kernel, 0,
		   CL_KERNEL_ARG_ADDRESS_QUALIFIER);
	CHECK_INFO(sizeof(cl_kernel_arg_access_qualifier), clGetKernelArgInfo, kernel, 0,
		   CL_KERNEL_ARG_ACCESS_QUALIFIER);
	CHECK_INFO(sizeof(cl_kernel_arg_type_qualifier), clGetKernelArgInfo, kernel, 0,
		   CL_KERNEL_ARG_TYPE_QUALIFIER);
	CHECK_INFO(sizeof("float*"), clGetKernelArgInfo, kernel, 0, CL_KERNEL_ARG_TYPE_NAME);
	CHECK_INFO(sizeof("in"), clGetKernelArgInfo, kernel, 0, CL_KERNEL_ARG_NAME);
	CHECK_ERR(clGetKernelArgInfo(kernel, COUNT_OF(args), CL_KERNEL_ARG_NAME, sizeof(text), text, NULL),
		  CL_INVALID_ARG_INDEX);
	CHECK_ERR(clGetKernelArgInfo(kernel, 0, 0xbad, sizeof(text), text, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetKernelArgInfo(NULL, 0, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL), CL_INVALID_KERNEL);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

static void not_kept(struct cl_env *env)
{
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "k");
	char text[64];
	cl_int err = clGetKernelArgInfo(kernel, 0, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL);

	/* a driver may keep it anyway */
	CHECK_ERR_OR(err, CL_KERNEL_ARG_INFO_NOT_AVAILABLE, CL_SUCCESS);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(kept), CL_CASE(not_kept), { NULL, NULL } };

	return cl_test_main(argc, argv, cases, 0);
}
