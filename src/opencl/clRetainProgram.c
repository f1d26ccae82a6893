/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainProgram(cl_program program)
{
	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	head_ref(&program->head);
	return CL_SUCCESS;
}
