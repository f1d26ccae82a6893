/* SPDX-License-Identifier: MIT */
#include "opencl/icd2.h"

CL_API_ENTRY cl_int CL_API_CALL clIcdSetPlatformDispatchDataKHR(cl_platform_id platform, void *dispatch_data)
{
	if (!IS_PLATFORM(platform))
		return CL_INVALID_PLATFORM;
	head_set_loader_data(dispatch_data);
	/* These were made before the call; all others are made by calls through the loader. */
	platform->head.loader_data = dispatch_data;
	for (uint32_t i = 0; i < platform->nr_devices; i++)
		platform->devices[i]->head.loader_data = dispatch_data;
	return CL_SUCCESS;
}
