/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/device.h"
#include "opencl/program.h"

CL_API_ENTRY cl_program CL_API_CALL clCreateProgramWithIL(cl_context context, const void *il, size_t length,
							  cl_int *errcode_ret)
{
	cl_program p;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	/* A host's driver that takes none takes nothing for SPIR-V. */
	if (!il || length == 0 || !device_host_str(context->device, CL_DEVICE_IL_VERSION)[0])
		return fail_with(errcode_ret, CL_INVALID_VALUE);

	p = program_new(context, &error);
	if (!p)
		return fail_with(errcode_ret, error);
	error = CL_OUT_OF_HOST_MEMORY;
	p->il = malloc(length);
	if (p->il) {
		memcpy(p->il, il, length);
		p->il_len = length;
		error = program_load(p, TRNC_OP_LOAD_IL, NULL);
	}
	if (error) {
		clReleaseProgram(p);
		return fail_with(errcode_ret, error);
	}
	if (errcode_ret)
		*errcode_ret = CL_SUCCESS;
	return p;
}
