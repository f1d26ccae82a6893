/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

CL_API_ENTRY cl_int CL_API_CALL clGetDeviceIDs(cl_platform_id platform, cl_device_type device_type,
					       cl_uint num_entries, cl_device_id *devices, cl_uint *num_devices)
{
	size_t nr;

	if (!IS_PLATFORM(platform))
		return CL_INVALID_PLATFORM;
	if ((num_entries == 0 && devices) || (!devices && !num_devices))
		return CL_INVALID_VALUE;

	nr = devices_find(platform, device_type, devices ? num_entries : 0, devices);
	if (nr == 0)
		return CL_DEVICE_NOT_FOUND;
	if (num_devices)
		*num_devices = (cl_uint)nr;
	/* PoCL's answer to a number of entries without room for them, which is no error by the specification. */
	return !devices && num_entries ? CL_DEVICE_NOT_FOUND : CL_SUCCESS;
}
