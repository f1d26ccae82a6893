/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem image, cl_mem buffer,
							   const size_t *origin, const size_t *region,
							   size_t dst_offset, cl_uint nr_waits, const cl_event *waits,
							   cl_event *event)
{
	struct image_side pixels = { .mem = image }, bytes = { .mem = buffer };
	cl_command_type type = CL_COMMAND_COPY_IMAGE_TO_BUFFER;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = image_check_copy(queue, &pixels, &bytes, origin, region, dst_offset, nr_waits, waits);
	if (code)
		return code;
	/* For PoCL the copy of a buffer's image is one of the buffer: the program sees that in the event. */
	if (image_is_of_buffer(image))
		type = CL_COMMAND_COPY_BUFFER_RECT;
	code = command_init(&c, queue, type, nr_waits, waits, event);
	if (code)
		return code;
	return command_finish(&c, image_copy(&c, &pixels, &bytes));
}
