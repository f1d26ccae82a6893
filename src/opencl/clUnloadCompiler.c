/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* The compiler is not in this process. */
CL_API_ENTRY cl_int CL_API_CALL clUnloadCompiler(void)
{
	return CL_SUCCESS;
}
