/* SPDX-License-Identifier: MIT */
#include "opencl/buffer.h"

CL_API_ENTRY cl_mem CL_API_CALL clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host_ptr,
					       cl_int *errcode_ret)
{
	return buffer_create(context, NULL, flags, size, host_ptr, errcode_ret);
}
