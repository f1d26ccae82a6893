/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* CL_DEVICE_PIPE_SUPPORT is false. */
CL_API_ENTRY cl_mem CL_API_CALL clCreatePipe(cl_context context, cl_mem_flags flags, cl_uint pipe_packet_size,
					     cl_uint pipe_max_packets, const cl_pipe_properties *properties,
					     cl_int *errcode_ret)
{
	return fail_with(errcode_ret, IS_CONTEXT(context) ? CL_INVALID_OPERATION : CL_INVALID_CONTEXT);
}
