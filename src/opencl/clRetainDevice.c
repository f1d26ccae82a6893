/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainDevice(cl_device_id device)
{
	if (!IS_DEVICE(device))
		return CL_INVALID_DEVICE;
	/* Devices of the platform are not counted. */
	if (device->parent && atomic_fetch_add(&device->head.refs, 1) == 0)
		device_hold(device); /* a queue's, that gave it back to the program */
	return CL_SUCCESS;
}
