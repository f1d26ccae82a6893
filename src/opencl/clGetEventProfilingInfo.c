/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetEventProfilingInfo(cl_event e, cl_profiling_info param_name, size_t cap,
							void *dst, size_t *size_ret)
{
	uint64_t queued, submit, start, end;

	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	if (!e->queue || !e->queue->profiling || event_status(e) != CL_COMPLETE)
		return CL_PROFILING_INFO_NOT_AVAILABLE;
	if (!dst) /* natively, what is asked for is not looked at then */
		return info_return(NULL, sizeof(cl_ulong), cap, dst, size_ret);
	if (e->handle) {
		const struct trnc_event_slot *slot = client_event_slot(e->context->client, e->handle);

		queued = slot->queued_ns;
		submit = slot->submit_ns;
		start = slot->start_ns;
		end = slot->end_ns;
	} else {
		queued = e->queued_ns;
		submit = e->submit_ns;
		start = e->start_ns;
		end = e->end_ns;
	}

	switch (param_name) {
	case CL_PROFILING_COMMAND_QUEUED:
		return INFO_RETURN(cl_ulong, queued, cap, dst, size_ret);
	case CL_PROFILING_COMMAND_SUBMIT:
		return INFO_RETURN(cl_ulong, submit, cap, dst, size_ret);
	case CL_PROFILING_COMMAND_START:
		return INFO_RETURN(cl_ulong, start, cap, dst, size_ret);
	case CL_PROFILING_COMMAND_END:
	case CL_PROFILING_COMMAND_COMPLETE:
		return INFO_RETURN(cl_ulong, end, cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
