/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"

static cl_int create_all(cl_program p, struct kernel_table *t, cl_kernel *kernels)
{
	cl_int error;

	for (uint32_t i = 0; i < t->nr_kernels; i++) {
		kernels[i] = kernel_create(p, t, i, &error);
		if (kernels[i])
			continue;
		while (i-- > 0)
			clReleaseKernel(kernels[i]);
		return error;
	}
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clCreateKernelsInProgram(cl_program program, cl_uint num_kernels, cl_kernel *kernels,
							 cl_uint *num_kernels_ret)
{
	struct kernel_table *t;
	cl_int error = CL_SUCCESS;

	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	t = program_table(program);
	if (!t)
		return CL_INVALID_PROGRAM_EXECUTABLE;
	if ((kernels != NULL) != (num_kernels > 0) || (kernels && num_kernels < t->nr_kernels))
		error = CL_INVALID_VALUE;
	else if (kernels)
		error = create_all(program, t, kernels);
	if (!error && num_kernels_ret)
		*num_kernels_ret = t->nr_kernels;
	kernel_table_unref(t);
	return error;
}
