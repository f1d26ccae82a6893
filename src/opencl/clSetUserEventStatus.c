/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clSetUserEventStatus(cl_event e, cl_int status)
{
	cl_int code;

	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	if (status > CL_COMPLETE)
		return CL_INVALID_VALUE;
	if (e->type != CL_COMMAND_USER)
		return CL_INVALID_EVENT;
	/* Once it is set, another thread may see what waited for it end, and release everything. */
	head_ref(&e->head);
	code = event_set_user(e, status);
	clReleaseEvent(e);
	return code;
}
