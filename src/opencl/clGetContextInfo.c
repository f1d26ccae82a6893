/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetContextInfo(cl_context context, cl_context_info param_name,
						 size_t param_value_size, void *param_value,
						 size_t *param_value_size_ret)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;

	switch (param_name) {
	case CL_CONTEXT_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&context->head.refs), param_value_size, param_value,
				   param_value_size_ret);
	case CL_CONTEXT_NUM_DEVICES:
		return INFO_RETURN(cl_uint, 1, param_value_size, param_value, param_value_size_ret);
	case CL_CONTEXT_DEVICES:
		return INFO_RETURN(cl_device_id, context->device, param_value_size, param_value,
				   param_value_size_ret);
	case CL_CONTEXT_PROPERTIES:
		return info_return(context->properties, context->nr_properties * sizeof(*context->properties),
				   param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
