/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainKernel(cl_kernel kernel)
{
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	head_ref(&kernel->head);
	return CL_SUCCESS;
}
