/* SPDX-License-Identifier: MIT */
#include "opencl/icd2.h"

CL_API_ENTRY void *CL_API_CALL clIcdGetFunctionAddressForPlatformKHR(cl_platform_id platform, const char *func_name)
{
	return IS_PLATFORM(platform) && func_name ? dispatch_function(func_name) : NULL;
}
