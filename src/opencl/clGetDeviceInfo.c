/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

CL_API_ENTRY cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info param_name,
						size_t param_value_size, void *param_value,
						size_t *param_value_size_ret)
{
	if (!IS_DEVICE(device))
		return CL_INVALID_DEVICE;
	return device_info(device, param_name, param_value_size, param_value, param_value_size_ret);
}
