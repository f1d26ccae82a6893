/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"

CL_API_ENTRY cl_kernel CL_API_CALL clCloneKernel(cl_kernel source_kernel, cl_int *errcode_ret)
{
	cl_kernel k;
	cl_int error;

	if (!IS_KERNEL(source_kernel))
		return fail_with(errcode_ret, CL_INVALID_KERNEL);
	k = kernel_clone(source_kernel, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return k;
}
