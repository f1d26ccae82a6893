/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetCommandQueueInfo(cl_command_queue command_queue,
						      cl_command_queue_info param_name, size_t param_value_size,
						      void *param_value, size_t *param_value_size_ret)
{
	cl_command_queue q = command_queue;

	if (!IS_QUEUE(q))
		return CL_INVALID_COMMAND_QUEUE;

	switch (param_name) {
	case CL_QUEUE_CONTEXT:
		return INFO_RETURN(cl_context, q->context, param_value_size, param_value, param_value_size_ret);
	case CL_QUEUE_DEVICE:
		return INFO_RETURN(cl_device_id, q->device, param_value_size, param_value, param_value_size_ret);
	case CL_QUEUE_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&q->head.refs), param_value_size, param_value,
				   param_value_size_ret);
	case CL_QUEUE_PROPERTIES:
		return INFO_RETURN(cl_command_queue_properties, q->client.properties, param_value_size, param_value,
				   param_value_size_ret);
	case CL_QUEUE_PROPERTIES_ARRAY:
		return info_return(q->properties_array, q->nr_properties * sizeof(*q->properties_array),
				   param_value_size, param_value, param_value_size_ret);
	case CL_QUEUE_SIZE: /* of queues on the device only */
		return CL_INVALID_COMMAND_QUEUE;
	case CL_QUEUE_DEVICE_DEFAULT:
		return INFO_RETURN(cl_command_queue, NULL, param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
