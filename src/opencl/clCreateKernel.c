/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/kernel.h"

static cl_kernel create(cl_program p, struct kernel_table *t, const char *name, cl_int *ret_error)
{
	for (uint32_t i = 0; i < t->nr_kernels; i++)
		if (strcmp(t->kernels[i].name, name) == 0)
			return kernel_create(p, t, i, ret_error);
	*ret_error = CL_INVALID_KERNEL_NAME;
	return NULL;
}

CL_API_ENTRY cl_kernel CL_API_CALL clCreateKernel(cl_program program, const char *kernel_name, cl_int *errcode_ret)
{
	struct kernel_table *t;
	cl_kernel k;
	cl_int error;

	if (!kernel_name)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	if (!IS_PROGRAM(program))
		return fail_with(errcode_ret, CL_INVALID_PROGRAM);
	t = program_table(program);
	if (!t)
		return fail_with(errcode_ret, CL_INVALID_PROGRAM_EXECUTABLE);
	k = create(program, t, kernel_name, &error);
	kernel_table_unref(t);
	if (errcode_ret)
		*errcode_ret = error;
	return k;
}
