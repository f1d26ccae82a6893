/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/command_buffer.h"

static cl_int check_properties(const cl_command_buffer_properties_khr *properties, size_t *ret_nr)
{
	size_t nr = 0;

	/* The same one twice is taken by the host's driver, too; the first counts. */
	for (; properties && properties[2 * nr]; nr++)
		if (properties[2 * nr] != CL_COMMAND_BUFFER_FLAGS_KHR ||
		    properties[2 * nr + 1] & ~(cl_command_buffer_properties_khr)CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR)
			return CL_INVALID_VALUE;
	*ret_nr = nr;
	return CL_SUCCESS;
}

static cl_command_buffer_khr create(cl_command_queue queue, const cl_command_buffer_properties_khr *properties, size_t nr)
{
	cl_command_buffer_khr b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->properties = calloc(nr ? nr : 1, 2 * sizeof(*properties));
	if (!b->properties) {
		free(b);
		return NULL;
	}
	if (nr)
		memcpy(b->properties, properties, nr * 2 * sizeof(*properties));
	b->nr_properties = nr;
	head_init(&b->head, KIND_COMMAND_BUFFER);
	pthread_mutex_init(&b->lock, NULL);
	b->queue = queue;
	head_ref(&queue->head);
	return b;
}

CL_API_ENTRY cl_command_buffer_khr CL_API_CALL clCreateCommandBufferKHR(
	cl_uint num_queues, const cl_command_queue *queues, const cl_command_buffer_properties_khr *properties,
	cl_int *errcode_ret)
{
	cl_command_buffer_khr b;
	size_t nr;
	cl_int code;

	if (num_queues != 1 || !queues)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	if (!IS_QUEUE(queues[0]))
		return fail_with(errcode_ret, CL_INVALID_COMMAND_QUEUE);
	code = check_properties(properties, &nr);
	if (code)
		return fail_with(errcode_ret, code);
	b = create(queues[0], properties, nr);
	fail_with(errcode_ret, b ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY);
	return b;
}
