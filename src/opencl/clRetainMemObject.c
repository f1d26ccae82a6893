/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainMemObject(cl_mem memobj)
{
	if (!IS_MEM(memobj))
		return CL_INVALID_MEM_OBJECT;
	head_ref(&memobj->head);
	return CL_SUCCESS;
}
