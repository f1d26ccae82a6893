/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseKernel(cl_kernel kernel)
{
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	if (head_unref(&kernel->head))
		kernel_destroy(kernel);
	return CL_SUCCESS;
}
