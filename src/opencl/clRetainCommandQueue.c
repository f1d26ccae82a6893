/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainCommandQueue(cl_command_queue command_queue)
{
	if (!IS_QUEUE(command_queue))
		return CL_INVALID_COMMAND_QUEUE;
	head_ref(&command_queue->head);
	return CL_SUCCESS;
}
