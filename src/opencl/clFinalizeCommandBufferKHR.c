/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

CL_API_ENTRY cl_int CL_API_CALL clFinalizeCommandBufferKHR(cl_command_buffer_khr command_buffer)
{
	if (!IS_COMMAND_BUFFER(command_buffer))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	/* Twice is no error, as natively. */
	pthread_mutex_lock(&command_buffer->lock);
	command_buffer->is_finalized = true;
	pthread_mutex_unlock(&command_buffer->lock);
	return CL_SUCCESS;
}
