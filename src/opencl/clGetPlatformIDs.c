/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms,
						 cl_uint *num_platforms)
{
	struct _cl_platform_id *p;

	if ((platforms != NULL) != (num_entries > 0) || (!platforms && !num_platforms))
		return CL_INVALID_VALUE;
	p = platform_get();
	if (num_platforms)
		*num_platforms = p ? 1 : 0;
	/* Without a device there is no platform: the loader passes over the driver. */
	if (!p)
		return CL_PLATFORM_NOT_FOUND_KHR;
	if (platforms)
		platforms[0] = p;
	return CL_SUCCESS;
}
