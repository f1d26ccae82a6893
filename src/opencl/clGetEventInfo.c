/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetEventInfo(cl_event e, cl_event_info param_name, size_t cap, void *dst,
					       size_t *size_ret)
{
	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;

	switch (param_name) {
	case CL_EVENT_COMMAND_QUEUE:
		return INFO_RETURN(cl_command_queue, e->queue, cap, dst, size_ret);
	case CL_EVENT_COMMAND_TYPE:
		return INFO_RETURN(cl_command_type, e->type, cap, dst, size_ret);
	case CL_EVENT_COMMAND_EXECUTION_STATUS:
		return INFO_RETURN(cl_int, event_status(e), cap, dst, size_ret);
	case CL_EVENT_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&e->head.refs), cap, dst, size_ret);
	case CL_EVENT_CONTEXT:
		return INFO_RETURN(cl_context, e->context, cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
