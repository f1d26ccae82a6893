/* SPDX-License-Identifier: MIT */
#include "opencl/export.h"
#include "opencl/extension_functions.h"
#include "opencl/objects.h"

EXPORT CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddressForPlatform(cl_platform_id platform,
									       const char *func_name)
{
	return IS_PLATFORM(platform) ? extension_function(func_name) : NULL;
}
