/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyBufferToImage(cl_command_queue queue, cl_mem buffer, cl_mem image,
							   size_t src_offset, const size_t *origin,
							   const size_t *region, cl_uint nr_waits,
							   const cl_event *waits, cl_event *event)
{
	struct image_box from, to;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check(buffer, queue);
	if (!code)
		code = mem_check_image(image, queue);
	if (!code)
		code = image_box(image, origin, region, &to);
	if (!code)
		code = image_buffer_box(buffer, src_offset, &to, &from);
	if (code)
		return code;
	memcpy(from.region, to.region, sizeof(from.region));
	return image_copy(queue, CL_COMMAND_COPY_BUFFER_TO_IMAGE, buffer, &from, image, &to, nr_waits, waits, event);
}
