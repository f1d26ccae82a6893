/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Devices of the platform are not counted; sub-devices, which would be, are not made. */
CL_API_ENTRY cl_int CL_API_CALL clReleaseDevice(cl_device_id device)
{
	return IS_DEVICE(device) ? CL_SUCCESS : CL_INVALID_DEVICE;
}
