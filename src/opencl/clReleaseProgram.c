/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseProgram(cl_program program)
{
	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	if (head_unref(&program->head))
		program_destroy(program);
	return CL_SUCCESS;
}
