/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainEvent(cl_event e)
{
	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	head_ref(&e->head);
	return CL_SUCCESS;
}
