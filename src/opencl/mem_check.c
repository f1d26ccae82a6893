/* SPDX-License-Identifier: MIT */
#include "base/range.h"
#include "opencl/commands.h"

static cl_int check_context(cl_mem mem, cl_command_queue queue)
{
	return mem->context == queue->context ? CL_SUCCESS : CL_INVALID_CONTEXT;
}

cl_int mem_check_any(cl_mem mem, cl_command_queue queue)
{
	return IS_MEM(mem) ? check_context(mem, queue) : CL_INVALID_MEM_OBJECT;
}

cl_int mem_check(cl_mem mem, cl_command_queue queue)
{
	return IS_MEM(mem) && !mem->image ? check_context(mem, queue) : CL_INVALID_MEM_OBJECT;
}

cl_int mem_check_image(cl_mem mem, cl_command_queue queue)
{
	return IS_MEM(mem) && mem->image ? check_context(mem, queue) : CL_INVALID_MEM_OBJECT;
}

cl_int mem_check_bytes(cl_mem mem, cl_command_queue queue)
{
	if (!IS_MEM(mem) || (mem->image && !(mem->bytes && mem->context->coherent)))
		return CL_INVALID_MEM_OBJECT;
	return check_context(mem, queue);
}

cl_int mem_check_range(cl_mem mem, size_t offset, size_t size)
{
	return base_range_is_within(offset, size, mem->size) ? CL_SUCCESS : CL_INVALID_VALUE;
}
