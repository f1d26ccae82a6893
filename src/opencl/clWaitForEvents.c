/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clWaitForEvents(cl_uint nr_events, const cl_event *events)
{
	cl_int code = CL_SUCCESS;

	if (!nr_events || !events)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < nr_events; i++) {
		if (!IS_EVENT(events[i]))
			return CL_INVALID_EVENT;
		if (events[i]->context != events[0]->context)
			return CL_INVALID_CONTEXT;
	}
	for (cl_uint i = 0; i < nr_events; i++)
		if (event_wait(events[i]) < 0)
			code = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	shadow_sync(events[0]->context);
	return code;
}
