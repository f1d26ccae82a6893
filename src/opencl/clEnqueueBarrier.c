/* SPDX-License-Identifier: MIT */
#include "opencl/marker.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueBarrier(cl_command_queue queue)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	return marker_enqueue(queue, CL_COMMAND_BARRIER, TRNC_REC_BARRIER, 0, NULL, NULL);
}
