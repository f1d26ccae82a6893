/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

/*
 * Taken out of OpenCL 1.1, because changing the order of a queue at work cannot be done soundly: a driver of a later
 * version may refuse it, and ours does, after the checks.
 */
CL_API_ENTRY cl_int CL_API_CALL clSetCommandQueueProperty(cl_command_queue command_queue,
							  cl_command_queue_properties properties, cl_bool enable,
							  cl_command_queue_properties *old_properties)
{
	cl_int error;

	if (!IS_QUEUE(command_queue))
		return CL_INVALID_COMMAND_QUEUE;
	error = queue_check_properties(command_queue->context->device, properties);
	if (error)
		return error;
	if (old_properties)
		*old_properties = command_queue->client.properties;
	return CL_INVALID_OPERATION;
}
