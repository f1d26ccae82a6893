/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

static cl_int check_headers(cl_uint nr, const cl_program *headers, const char *const *names)
{
	if (nr && (!headers || !names)) /* lists without a count are not looked at */
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < nr; i++) {
		if (!names[i])
			return CL_INVALID_VALUE;
		if (!IS_PROGRAM(headers[i]))
			return CL_INVALID_PROGRAM;
	}
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clCompileProgram(cl_program program, cl_uint num_devices,
						 const cl_device_id *device_list, const char *options,
						 cl_uint num_input_headers, const cl_program *input_headers,
						 const char **header_include_names,
						 void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
						 void *user_data)
{
	const struct build_call call = { num_devices, device_list, pfn_notify, user_data, CL_COMPILE_PROGRAM_FAILURE };
	cl_int error;

	if (!IS_PROGRAM(program))
		return CL_INVALID_PROGRAM;
	error = program_check_build(program, &call);
	if ((!error || error == CL_INVALID_DEVICE || error == call.wrong_device) && !program->source && !program->il)
		error = CL_INVALID_OPERATION;
	if (!error)
		error = check_headers(num_input_headers, input_headers, header_include_names);
	if (error)
		return program_refuse_build(program, &call, error);
	return program_build(&(struct build_job){
		.program = program,
		.op = TRNC_OP_COMPILE,
		.options = options,
		.inputs = { num_input_headers, input_headers, num_input_headers ? header_include_names : NULL },
		.notify = pfn_notify,
		.notify_data = user_data,
	});
}
