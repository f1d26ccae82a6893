/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

CL_API_ENTRY cl_int CL_API_CALL clBuildProgram(cl_program program, cl_uint num_devices,
					       const cl_device_id *device_list, const char *options,
					       void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
					       void *user_data)
{
	const struct build_call call = { num_devices, device_list, pfn_notify, user_data, CL_BUILD_PROGRAM_FAILURE };
	cl_int error;

	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	error = program_check_build(program, &call);
	if (error)
		return program_refuse_build(program, &call, error);
	if (program->builtin_names)
		return program_build_builtin(program, options, pfn_notify, user_data);
	return program_build(&(struct build_job){
		.program = program,
		.op = TRNC_OP_BUILD,
		.options = options,
		.notify = pfn_notify,
		.notify_data = user_data,
	});
}
