/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"
#include "opencl/kernel.h"

CL_API_ENTRY cl_int CL_API_CALL clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device,
							 cl_kernel_work_group_info param_name, size_t param_value_size,
							 void *param_value, size_t *param_value_size_ret)
{
	const struct kernel_info *info;
	size_t sizes[3];

	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	/* NULL stands for the context's one device. */
	if (device && (!IS_DEVICE(device) || device_root(device) != kernel->program->context->device))
		return CL_INVALID_DEVICE;
	info = kernel->info;

	switch (param_name) {
	case CL_KERNEL_WORK_GROUP_SIZE:
		return INFO_RETURN(size_t, (size_t)info->work_group_size, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_COMPILE_WORK_GROUP_SIZE:
		for (int i = 0; i < 3; i++)
			sizes[i] = info->compile_group_size[i];
		return info_return(sizes, sizeof(sizes), param_value_size, param_value, param_value_size_ret);
	case CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE:
		return INFO_RETURN(size_t, (size_t)info->preferred_multiple, param_value_size, param_value,
				   param_value_size_ret);
	case CL_KERNEL_LOCAL_MEM_SIZE:
		return INFO_RETURN(cl_ulong, info->local_mem + kernel_args_local(kernel), param_value_size,
				   param_value, param_value_size_ret);
	case CL_KERNEL_PRIVATE_MEM_SIZE:
		return INFO_RETURN(cl_ulong, info->private_mem, param_value_size, param_value,
				   param_value_size_ret);
	default: /* CL_KERNEL_GLOBAL_WORK_SIZE is for built-in kernels and custom devices only */
		return CL_INVALID_VALUE;
	}
}
