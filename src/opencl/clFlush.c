/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Records are with the host as soon as they are written; in a virtual machine it may sleep. */
CL_API_ENTRY cl_int CL_API_CALL clFlush(cl_command_queue queue)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	client_flush(queue->context->client);
	return CL_SUCCESS;
}
