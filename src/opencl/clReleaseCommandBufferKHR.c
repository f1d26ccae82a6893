/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseCommandBufferKHR(cl_command_buffer_khr command_buffer)
{
	if (!IS_COMMAND_BUFFER(command_buffer))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	if (head_unref(&command_buffer->head))
		command_buffer_destroy(command_buffer);
	return CL_SUCCESS;
}
