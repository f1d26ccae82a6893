/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* CL_PLATFORM_HOST_TIMER_RESOLUTION is 0; as the host's driver, which looks at nothing. */
CL_API_ENTRY cl_int CL_API_CALL clGetDeviceAndHostTimer(cl_device_id device, cl_ulong *device_timestamp,
							cl_ulong *host_timestamp)
{
	return CL_INVALID_OPERATION;
}
