/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainCommandBufferKHR(cl_command_buffer_khr command_buffer)
{
	if (!IS_COMMAND_BUFFER(command_buffer))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	head_ref(&command_buffer->head);
	return CL_SUCCESS;
}
