/* SPDX-License-Identifier: MIT */
#include "opencl/marker.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint nr_waits,
							    const cl_event *waits, cl_event *event)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	return marker_enqueue(queue, CL_COMMAND_MARKER, TRNC_REC_MARKER, nr_waits, waits, event);
}
