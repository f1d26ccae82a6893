/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

/* Reads the list; *ret_nr counts the closing 0. */
static cl_int parse(const cl_queue_properties *list, cl_command_queue_properties *ret_properties, bool *ret_has_size,
		    size_t *ret_nr)
{
	bool has_properties = false;
	size_t i;

	*ret_properties = 0;
	*ret_has_size = false;
	for (i = 0; list[i]; i += 2) {
		if (list[i] == CL_QUEUE_PROPERTIES && !has_properties) {
			has_properties = true;
			*ret_properties = list[i + 1];
		} else if (list[i] == CL_QUEUE_SIZE && !*ret_has_size) {
			*ret_has_size = true;
		} else {
			return CL_INVALID_VALUE;
		}
	}
	*ret_nr = i + 1;
	return CL_SUCCESS;
}

CL_API_ENTRY cl_command_queue CL_API_CALL clCreateCommandQueueWithProperties(cl_context context, cl_device_id device,
									     const cl_queue_properties *properties,
									     cl_int *errcode_ret)
{
	cl_command_queue_properties bits = 0;
	bool has_size = false;
	cl_command_queue q;
	size_t nr = 0;
	cl_int error;

	error = queue_check(context, device);
	if (!error && properties)
		error = parse(properties, &bits, &has_size, &nr);
	if (!error)
		error = queue_check_properties(device, bits);
	/* Only a queue on the device has a size. */
	if (!error && has_size)
		error = CL_INVALID_VALUE;
	if (error)
		return fail_with(errcode_ret, error);
	q = queue_create(context, bits, properties, nr, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return q;
}
