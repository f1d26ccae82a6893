/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"
#include "opencl/kernel.h"
#include "opencl/ndrange.h"

/* Not as the host: a replay has the arguments of the time of recording, as the extension says; PoCL 3.1 takes later ones. */

/* The clone's arguments travel with its first launch only. */
static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return ndrange_enqueue(queue, r->clone, CL_COMMAND_NDRANGE_KERNEL, r->dims, r->boxes[0], r->boxes[1],
			       r->has_local ? r->boxes[2] : NULL, nr_waits, waits, event);
}

static void keep_sizes(struct recorded *command, cl_uint dims, const size_t *offset, const size_t *global,
		       const size_t *local)
{
	command->dims = dims;
	command->has_local = local != NULL;
	for (cl_uint i = 0; i < dims; i++) {
		command->boxes[0][i] = offset ? offset[i] : 0;
		command->boxes[1][i] = global ? global[i] : 0;
		command->boxes[2][i] = local ? local[i] : 0;
	}
}

CL_API_ENTRY cl_int CL_API_CALL clCommandNDRangeKernelKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue,
	const cl_ndrange_kernel_command_properties_khr *properties, cl_kernel kernel, cl_uint dims,
	const size_t *offset, const size_t *global, const size_t *local, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = { replay, .kernel = kernel };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = ndrange_enqueue(&r.queue, kernel, CL_COMMAND_NDRANGE_KERNEL, dims, offset, global, local, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD) {
		cl_int error;

		keep_sizes(&command, dims, offset, global, local);
		command.clone = kernel_clone(kernel, &error);
		if (!command.clone)
			code = error;
	}
	return recording_end(&r, code, &command, sync_point);
}
