/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/program.h"
#include "opencl/program_binary.h"

static cl_program load(cl_context ctx, const void *binary, size_t len, cl_int *ret_binary_status, cl_int *ret_error)
{
	const void *host;
	cl_program p;
	size_t host_len;

	*ret_error = program_binary_unwrap(binary, len, &host, &host_len);
	if (*ret_error) {
		if (ret_binary_status)
			*ret_binary_status = *ret_error;
		return NULL;
	}
	p = program_new(ctx, ret_error);
	if (!p)
		return NULL;
	*ret_error = CL_OUT_OF_HOST_MEMORY;
	p->binary = malloc(host_len ? host_len : 1);
	if (p->binary) {
		memcpy(p->binary, host, host_len);
		p->binary_len = host_len;
		*ret_error = program_load(p, TRNC_OP_LOAD_BINARY, ret_binary_status);
	}
	if (!*ret_error)
		return p;
	clReleaseProgram(p);
	return NULL;
}

/* Sub-devices may come twice, in PoCL. */
static bool is_twice(cl_device_id root, cl_uint nr, const cl_device_id *devices)
{
	cl_uint times = 0;

	for (cl_uint i = 0; i < nr; i++)
		times += devices[i] == root;
	return times > 1;
}

CL_API_ENTRY cl_program CL_API_CALL clCreateProgramWithBinary(cl_context context, cl_uint num_devices,
							      const cl_device_id *device_list, const size_t *lengths,
							      const unsigned char **binaries, cl_int *binary_status,
							      cl_int *errcode_ret)
{
	cl_program p;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (!device_list || num_devices == 0 || !lengths || !binaries)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	for (cl_uint i = 0; i < num_devices; i++)
		if (!lengths[i] || !binaries[i]) /* no status, as PoCL */
			return fail_with(errcode_ret, CL_INVALID_VALUE);
	error = program_check_devices(context, num_devices, device_list);
	if (!error && is_twice(context->device, num_devices, device_list))
		error = CL_INVALID_DEVICE;
	if (error)
		return fail_with(errcode_ret, error);

	/* All of them stand for one device. As PoCL, the first binary is taken, and the status of the others left alone. */
	p = load(context, binaries[0], lengths[0], binary_status, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return p;
}
