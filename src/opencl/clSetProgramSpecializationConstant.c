/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

/* Not as the host: one that takes SPIR-V sets the constant of such a program; here that is `CL_INVALID_OPERATION`. */
CL_API_ENTRY cl_int CL_API_CALL clSetProgramSpecializationConstant(cl_program program, cl_uint spec_id,
								   size_t spec_size, const void *spec_value)
{
	if (!IS_PROGRAM(program) || !program->il)
		return CL_INVALID_PROGRAM;
	return CL_INVALID_OPERATION;
}
