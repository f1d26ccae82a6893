/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

/* The device has no sub-groups. */
CL_API_ENTRY cl_int CL_API_CALL clGetKernelSubGroupInfo(cl_kernel kernel, cl_device_id device,
							cl_kernel_sub_group_info param_name, size_t input_value_size,
							const void *input_value, size_t param_value_size,
							void *param_value, size_t *param_value_size_ret)
{
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	if (device && (!IS_DEVICE(device) || device_root(device) != kernel->program->context->device))
		return CL_INVALID_DEVICE;
	return CL_INVALID_OPERATION;
}
