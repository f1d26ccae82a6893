/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"

CL_API_ENTRY cl_int CL_API_CALL clSetKernelArg(cl_kernel kernel, cl_uint arg_index, size_t arg_size,
					       const void *arg_value)
{
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	return kernel_arg_set(kernel, arg_index, arg_size, arg_value);
}
