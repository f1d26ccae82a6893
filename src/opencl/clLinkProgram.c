/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

static bool is_linkable(cl_program p)
{
	cl_program_binary_type type;

	pthread_mutex_lock(&p->lock);
	type = p->binary_type;
	pthread_mutex_unlock(&p->lock);
	return type == CL_PROGRAM_BINARY_TYPE_LIBRARY || type == CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT;
}

static cl_int check_inputs(cl_context ctx, cl_uint nr, const cl_program *programs)
{
	if (nr == 0 || !programs)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < nr; i++) {
		if (!IS_PROGRAM(programs[i]))
			return CL_INVALID_PROGRAM;
		if (programs[i]->context != ctx)
			return CL_INVALID_CONTEXT;
	}
	return CL_SUCCESS;
}

CL_API_ENTRY cl_program CL_API_CALL clLinkProgram(cl_context context, cl_uint num_devices,
						  const cl_device_id *device_list, const char *options,
						  cl_uint num_input_programs, const cl_program *input_programs,
						  void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
						  void *user_data, cl_int *errcode_ret)
{
	cl_program p;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	error = check_inputs(context, num_input_programs, input_programs);
	if (!error && (num_devices > 0) != (device_list != NULL))
		error = CL_INVALID_VALUE;
	for (cl_uint i = 0; !error && i < num_input_programs; i++)
		if (!is_linkable(input_programs[i]))
			error = CL_INVALID_OPERATION;
	if (!error)
		error = program_check_devices(context, num_devices, device_list);
	if (!error && !pfn_notify && user_data)
		error = CL_INVALID_VALUE;
	if (error) {
		/* As PoCL, without a program. */
		if (pfn_notify)
			pfn_notify(NULL, user_data);
		return fail_with(errcode_ret, error);
	}

	p = program_new(context, &error);
	if (!p)
		return fail_with(errcode_ret, error);
	error = program_build(&(struct build_job){
		.program = p,
		.op = TRNC_OP_LINK,
		.options = options,
		.inputs = { num_input_programs, input_programs, NULL },
		.notify = pfn_notify,
		.notify_data = user_data,
	});
	if (errcode_ret)
		*errcode_ret = error;
	if (!error)
		return p;
	clReleaseProgram(p);
	return NULL;
}
