/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

/*
 * Devices of the platform are not counted.  A sub-device whose references are all gone lives on while queues or
 * sub-devices of it do: a program may still ask those for it.
 */
CL_API_ENTRY cl_int CL_API_CALL clReleaseDevice(cl_device_id device)
{
	if (!IS_DEVICE(device))
		return CL_INVALID_DEVICE;
	if (!device->parent)
		return CL_SUCCESS;
	if (atomic_load(&device->head.refs) == 0)
		return CL_INVALID_DEVICE;
	if (atomic_fetch_sub(&device->head.refs, 1) == 1)
		device_let_go(device);
	return CL_SUCCESS;
}
