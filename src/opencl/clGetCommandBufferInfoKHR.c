/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"

/* Not as the host: queues and properties are given; PoCL 3.1 gives addresses of its own in their place. */

/* As natively: what does not fit is cut off, and no error. */
static cl_int answer(const void *value, size_t len, size_t size, size_t cap, void *dst, size_t *size_ret)
{
	if (size_ret)
		*size_ret = size;
	if (dst && len)
		memcpy(dst, value, cap < len ? cap : len);
	return CL_SUCCESS;
}

static cl_uint state_of(cl_command_buffer_khr b)
{
	if (command_buffer_pending(b))
		return CL_COMMAND_BUFFER_STATE_PENDING_KHR;
	return b->is_finalized ? CL_COMMAND_BUFFER_STATE_EXECUTABLE_KHR : CL_COMMAND_BUFFER_STATE_RECORDING_KHR;
}

CL_API_ENTRY cl_int CL_API_CALL clGetCommandBufferInfoKHR(cl_command_buffer_khr command_buffer,
							  cl_command_buffer_info_khr param_name,
							  size_t param_value_size, void *param_value,
							  size_t *param_value_size_ret)
{
	cl_command_buffer_khr b = command_buffer;
	const void *value = NULL;
	cl_uint number;
	size_t size;

	if (!IS_COMMAND_BUFFER(b))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	value = &number;
	size = sizeof(number);
	switch (param_name) {
	case CL_COMMAND_BUFFER_NUM_QUEUES_KHR:
		number = 1;
		break;
	case CL_COMMAND_BUFFER_QUEUES_KHR:
		value = &b->queue;
		size = sizeof(cl_command_queue);
		break;
	case CL_COMMAND_BUFFER_REFERENCE_COUNT_KHR:
		/* Each replay under way counts. */
		number = atomic_load(&b->head.refs) + command_buffer_pending(b);
		break;
	case CL_COMMAND_BUFFER_STATE_KHR:
		number = state_of(b);
		break;
	case CL_COMMAND_BUFFER_PROPERTIES_ARRAY_KHR:
		/* The host's driver counts one byte for the closing 0, and so does a program that knows it. */
		value = b->properties;
		size = 2 * sizeof(*b->properties) * b->nr_properties;
		return answer(value, size, size + 1, param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
	return answer(value, size, size, param_value_size, param_value, param_value_size_ret);
}
