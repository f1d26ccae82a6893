/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* The compiler is not in this process. */
CL_API_ENTRY cl_int CL_API_CALL clUnloadPlatformCompiler(cl_platform_id platform)
{
	return IS_PLATFORM(platform) ? CL_SUCCESS : CL_INVALID_PLATFORM;
}
