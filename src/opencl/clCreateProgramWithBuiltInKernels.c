/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

/* The device offers no built-in kernels, so that no name can be one of them. */
CL_API_ENTRY cl_program CL_API_CALL clCreateProgramWithBuiltInKernels(cl_context context, cl_uint num_devices,
								      const cl_device_id *device_list,
								      const char *kernel_names, cl_int *errcode_ret)
{
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (!device_list || num_devices == 0 || !kernel_names)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	error = program_check_devices(context, num_devices, device_list);
	return fail_with(errcode_ret, error ? error : CL_INVALID_VALUE);
}
