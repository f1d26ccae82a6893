/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

static cl_int give_str(const char *text, size_t cap, void *dst, size_t *size_ret)
{
	return text ? info_return_str(text, cap, dst, size_ret) : CL_KERNEL_ARG_INFO_NOT_AVAILABLE;
}

CL_API_ENTRY cl_int CL_API_CALL clGetKernelArgInfo(cl_kernel kernel, cl_uint arg_indx, cl_kernel_arg_info param_name,
						   size_t param_value_size, void *param_value,
						   size_t *param_value_size_ret)
{
	const struct arg_info *a;

	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	if (arg_indx >= kernel->info->nr_args)
		return CL_INVALID_ARG_INDEX;
	a = &kernel->info->args[arg_indx];
	if (!a->has_info)
		return CL_KERNEL_ARG_INFO_NOT_AVAILABLE;

	switch (param_name) {
	case CL_KERNEL_ARG_ADDRESS_QUALIFIER:
		return INFO_RETURN(cl_kernel_arg_address_qualifier, a->address, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_ARG_ACCESS_QUALIFIER:
		return INFO_RETURN(cl_kernel_arg_access_qualifier, a->access, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_ARG_TYPE_QUALIFIER:
		return INFO_RETURN(cl_kernel_arg_type_qualifier, a->qualifier, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_ARG_TYPE_NAME:
		return give_str(a->type_name, param_value_size, param_value, param_value_size_ret);
	case CL_KERNEL_ARG_NAME:
		return give_str(a->name, param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
