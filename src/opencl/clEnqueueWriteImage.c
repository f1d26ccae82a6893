/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueWriteImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
						   const size_t *origin, const size_t *region, size_t row_pitch,
						   size_t slice_pitch, const void *ptr, cl_uint nr_waits,
						   const cl_event *waits, cl_event *event)
{
	const struct image_request request = {
		.mem = image,
		.type = CL_COMMAND_WRITE_IMAGE,
		.blocking = blocking,
		.origin = origin,
		.region = region,
		.row_pitch = row_pitch,
		.slice_pitch = slice_pitch,
		.ptr = (void *)(uintptr_t)ptr,
	};

	return image_transfer(queue, &request, nr_waits, waits, event);
}
