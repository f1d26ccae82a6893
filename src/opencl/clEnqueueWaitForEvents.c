/* SPDX-License-Identifier: MIT */
#include "opencl/marker.h"

/* The old form of a barrier that waits for events. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueWaitForEvents(cl_command_queue queue, cl_uint nr_events,
						       const cl_event *events)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!nr_events || !events)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < nr_events; i++)
		if (!IS_EVENT(events[i]))
			return CL_INVALID_EVENT;
	return marker_enqueue(queue, CL_COMMAND_BARRIER, TRNC_REC_BARRIER, nr_events, events, NULL);
}
