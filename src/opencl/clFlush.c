/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Records are with the host as soon as they are written: there is nothing to send. */
CL_API_ENTRY cl_int CL_API_CALL clFlush(cl_command_queue queue)
{
	return IS_QUEUE(queue) ? CL_SUCCESS : CL_INVALID_COMMAND_QUEUE;
}
