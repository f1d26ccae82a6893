/* SPDX-License-Identifier: MIT */
#include "base/range.h"
#include "opencl/commands.h"

cl_int mem_check(cl_mem mem, cl_command_queue queue)
{
	if (!IS_MEM(mem))
		return CL_INVALID_MEM_OBJECT;
	return mem->context == queue->context ? CL_SUCCESS : CL_INVALID_CONTEXT;
}

cl_int mem_check_range(cl_mem mem, size_t offset, size_t size)
{
	return size && base_range_is_within(offset, size, mem->size) ? CL_SUCCESS : CL_INVALID_VALUE;
}
