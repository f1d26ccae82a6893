/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

struct wishes {
	bool has_bits, has_size;
	cl_command_queue_properties bits;
	cl_uint size;
	size_t nr; /* words of the list, the closing 0 included */
};

static cl_int parse(const cl_queue_properties *list, struct wishes *ret)
{
	size_t i;

	for (i = 0; list[i]; i += 2) {
		if (list[i] == CL_QUEUE_PROPERTIES && !ret->has_bits) {
			ret->has_bits = true;
			ret->bits = list[i + 1];
		} else if (list[i] == CL_QUEUE_SIZE && !ret->has_size) {
			ret->has_size = true;
			ret->size = (cl_uint)list[i + 1];
		} else {
			return CL_INVALID_VALUE;
		}
	}
	ret->nr = i + 1;
	if (ret->bits & CL_QUEUE_ON_DEVICE)
		return CL_INVALID_QUEUE_PROPERTIES; /* no device has such queues; PoCL would end the program */
	/* Only a queue on the device has a size; as in PoCL, one without bits is passed over. */
	return ret->has_bits && ret->size ? CL_INVALID_VALUE : CL_SUCCESS;
}

CL_API_ENTRY cl_command_queue CL_API_CALL clCreateCommandQueueWithProperties(cl_context context, cl_device_id device,
									     const cl_queue_properties *properties,
									     cl_int *errcode_ret)
{
	struct wishes w = { 0 };
	cl_command_queue q;
	cl_int error;

	error = queue_check(context, device);
	if (!error && properties)
		error = parse(properties, &w);
	if (!error)
		error = queue_check_properties(device, w.bits);
	if (error)
		return fail_with(errcode_ret, error);
	q = queue_create(context, device, w.bits, properties, w.nr, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return q;
}
