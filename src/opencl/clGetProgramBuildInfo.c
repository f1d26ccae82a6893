/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"

static cl_int answer_locked(cl_program p, cl_program_build_info param, size_t cap, void *dst, size_t *size_ret)
{
	switch (param) {
	case CL_PROGRAM_BUILD_STATUS:
		return INFO_RETURN(cl_build_status, p->status, cap, dst, size_ret);
	case CL_PROGRAM_BUILD_OPTIONS:
		return info_return_str(p->options ? p->options : "", cap, dst, size_ret);
	case CL_PROGRAM_BUILD_LOG:
		/* PoCL's answer before any build. */
		if (p->status == CL_BUILD_NONE)
			return CL_INVALID_PROGRAM;
		return info_return_str(p->log ? p->log : "", cap, dst, size_ret);
	case CL_PROGRAM_BINARY_TYPE:
		return INFO_RETURN(cl_program_binary_type, p->binary_type, cap, dst, size_ret);
	case CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE:
		return INFO_RETURN(size_t, p->globals_size, cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}

CL_API_ENTRY cl_int CL_API_CALL clGetProgramBuildInfo(cl_program program, cl_device_id device,
						      cl_program_build_info param_name, size_t param_value_size,
						      void *param_value, size_t *param_value_size_ret)
{
	cl_int error;

	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	if (!IS_DEVICE(device) || device_root(device) != program->context->device)
		return CL_INVALID_DEVICE;
	pthread_mutex_lock(&program->lock);
	error = answer_locked(program, param_name, param_value_size, param_value, param_value_size_ret);
	pthread_mutex_unlock(&program->lock);
	return error;
}
