/* SPDX-License-Identifier: MIT */
#include "opencl/buffer.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseMemObject(cl_mem memobj)
{
	if (!IS_MEM(memobj))
		return CL_INVALID_MEM_OBJECT;
	if (head_unref(&memobj->head))
		buffer_destroy(memobj);
	return CL_SUCCESS;
}
