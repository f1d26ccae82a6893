/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetKernelInfo(cl_kernel kernel, cl_kernel_info param_name, size_t param_value_size,
						void *param_value, size_t *param_value_size_ret)
{
	const struct kernel_info *info;

	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	info = kernel->info;

	switch (param_name) {
	case CL_KERNEL_FUNCTION_NAME:
		return info_return_str(info->name, param_value_size, param_value, param_value_size_ret);
	case CL_KERNEL_ATTRIBUTES:
		return info_return_str(info->attributes ? info->attributes : "", param_value_size, param_value,
				       param_value_size_ret);
	case CL_KERNEL_NUM_ARGS:
		return INFO_RETURN(cl_uint, info->nr_args, param_value_size, param_value, param_value_size_ret);
	case CL_KERNEL_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&kernel->head.refs), param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_CONTEXT:
		return INFO_RETURN(cl_context, kernel->program->context, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_PROGRAM:
		return INFO_RETURN(cl_program, kernel->program, param_value_size, param_value,
				   param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
