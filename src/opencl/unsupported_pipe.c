/* SPDX-License-Identifier: MIT */
/* Pipes: the device says that it has none (CL_DEVICE_PIPE_SUPPORT); the specification's answers for such a device. */
#include "opencl/objects.h"

CL_API_ENTRY cl_mem CL_API_CALL clCreatePipe(cl_context context, cl_mem_flags flags, cl_uint pipe_packet_size,
					     cl_uint pipe_max_packets, const cl_pipe_properties *properties,
					     cl_int *errcode_ret)
{
	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_int CL_API_CALL clGetPipeInfo(cl_mem pipe, cl_pipe_info param_name, size_t param_value_size,
					      void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}
