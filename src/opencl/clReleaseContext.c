/* SPDX-License-Identifier: MIT */
#include "opencl/context.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseContext(cl_context context)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (head_unref(&context->head))
		context_destroy(context);
	return CL_SUCCESS;
}
