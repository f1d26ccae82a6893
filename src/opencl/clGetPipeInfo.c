/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Nothing can be a pipe. */
CL_API_ENTRY cl_int CL_API_CALL clGetPipeInfo(cl_mem pipe, cl_pipe_info param_name, size_t param_value_size,
					      void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}
