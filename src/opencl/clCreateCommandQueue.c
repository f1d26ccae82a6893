/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

CL_API_ENTRY cl_command_queue CL_API_CALL clCreateCommandQueue(cl_context context, cl_device_id device,
							       cl_command_queue_properties properties,
							       cl_int *errcode_ret)
{
	cl_command_queue q;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (!IS_DEVICE(device))
		return fail_with(errcode_ret, CL_INVALID_DEVICE);
	error = queue_check_properties(device, properties);
	if (!error)
		error = queue_check(context, device);
	if (error)
		return fail_with(errcode_ret, error);
	q = queue_create(context, device, properties, NULL, 0, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return q;
}
