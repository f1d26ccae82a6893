/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImage(cl_command_queue queue, cl_mem src, cl_mem dst,
						   const size_t *src_origin, const size_t *dst_origin,
						   const size_t *region, cl_uint nr_waits, const cl_event *waits,
						   cl_event *event)
{
	struct image_box from, to;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check_image(src, queue);
	if (!code)
		code = mem_check_image(dst, queue);
	if (code)
		return code;
	if (src->image->format.image_channel_order != dst->image->format.image_channel_order ||
	    src->image->format.image_channel_data_type != dst->image->format.image_channel_data_type)
		return CL_IMAGE_FORMAT_MISMATCH;
	code = image_box(src, src_origin, region, &from);
	if (!code)
		code = image_box(dst, dst_origin, region, &to);
	if (code)
		return code;
	if (src == dst && rect_overlaps(from.origin, to.origin, from.region, from.row, from.slice))
		return CL_MEM_COPY_OVERLAP;
	return image_copy(queue, CL_COMMAND_COPY_IMAGE, src, &from, dst, &to, nr_waits, waits, event);
}
