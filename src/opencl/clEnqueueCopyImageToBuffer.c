/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem image, cl_mem buffer,
							   const size_t *origin, const size_t *region,
							   size_t dst_offset, cl_uint nr_waits, const cl_event *waits,
							   cl_event *event)
{
	struct image_box from, to;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check_image(image, queue);
	if (!code)
		code = mem_check(buffer, queue);
	if (!code)
		code = image_box(image, origin, region, &from);
	if (!code)
		code = image_buffer_box(buffer, dst_offset, &from, &to);
	if (code)
		return code;
	return image_copy(queue, CL_COMMAND_COPY_IMAGE_TO_BUFFER, image, &from, buffer, &to, nr_waits, waits, event);
}
