/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_event CL_API_CALL clCreateUserEvent(cl_context context, cl_int *errcode_ret)
{
	cl_event e;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (client_context_is_lost(context->client))
		return fail_with(errcode_ret, CL_OUT_OF_RESOURCES);
	e = event_new_user(context);
	if (!e)
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	fail_with(errcode_ret, CL_SUCCESS);
	return e;
}
