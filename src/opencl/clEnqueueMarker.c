/* SPDX-License-Identifier: MIT */
#include "opencl/marker.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueMarker(cl_command_queue queue, cl_event *event)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!event)
		return CL_INVALID_VALUE;
	return marker_enqueue(queue, CL_COMMAND_MARKER, TRNC_REC_MARKER, 0, NULL, event);
}
