/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainContext(cl_context context)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	head_ref(&context->head);
	return CL_SUCCESS;
}
