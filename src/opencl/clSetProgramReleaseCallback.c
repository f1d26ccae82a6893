/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Deprecated by OpenCL 3.0: no kernels at program scope; as the host's driver, which looks at nothing. */
CL_API_ENTRY cl_int CL_API_CALL clSetProgramReleaseCallback(
	cl_program program, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data)
{
	return CL_INVALID_OPERATION;
}
