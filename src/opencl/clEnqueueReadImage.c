/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReadImage(cl_command_queue queue, cl_mem image, cl_bool blocking,
						   const size_t *origin, const size_t *region, size_t row_pitch,
						   size_t slice_pitch, void *ptr, cl_uint nr_waits,
						   const cl_event *waits, cl_event *event)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check_image(image, queue);
	if (code)
		return code;
	if (image->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	return image_transfer(queue, CL_COMMAND_READ_IMAGE, image, blocking, origin, region, row_pitch, slice_pitch,
			      ptr, nr_waits, waits, event);
}
