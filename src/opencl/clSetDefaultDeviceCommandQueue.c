/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* No queues on the device; as the host's driver, which looks at nothing. */
CL_API_ENTRY cl_int CL_API_CALL clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
							       cl_command_queue command_queue)
{
	return CL_INVALID_OPERATION;
}
