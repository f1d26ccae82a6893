/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

static bool is_flat(cl_mem image)
{
	return image->type == CL_MEM_OBJECT_IMAGE2D;
}

/* In PoCL's order. The events were checked. */
static cl_int check(cl_command_queue queue, struct image_side *src, struct image_side *dst, const size_t *src_origin,
		    const size_t *dst_origin, const size_t *region)
{
	const cl_image_format *from, *to;
	cl_int code;

	if (src->mem->context != queue->context || dst->mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (!src_origin || !dst_origin || !region)
		return CL_INVALID_VALUE;
	if (!src->mem->image)
		return CL_INVALID_MEM_OBJECT;
	if (is_flat(src->mem) && src_origin[2])
		return CL_INVALID_VALUE;
	if (!dst->mem->image)
		return CL_INVALID_MEM_OBJECT;
	if (is_flat(dst->mem) && dst_origin[2])
		return CL_INVALID_VALUE;
	from = &src->mem->image->format;
	to = &dst->mem->image->format;
	if (from->image_channel_order != to->image_channel_order ||
	    from->image_channel_data_type != to->image_channel_data_type)
		return CL_IMAGE_FORMAT_MISMATCH;
	code = image_box(src->mem, src_origin, region, &src->box);
	if (!code)
		code = image_box(dst->mem, dst_origin, region, &dst->box);
	if (!code && !src->box.span)
		code = image_box_check_empty(&src->box, src->mem->size);
	if (!code && !src->box.span)
		return image_box_check_empty(&dst->box, dst->mem->size);
	if (!code && src->mem == dst->mem &&
	    rect_overlaps(src->box.origin, dst->box.origin, src->box.region, src->box.row, src->box.slice))
		code = CL_MEM_COPY_OVERLAP;
	return code;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyImage(cl_command_queue queue, cl_mem src, cl_mem dst,
						   const size_t *src_origin, const size_t *dst_origin,
						   const size_t *region, cl_uint nr_waits, const cl_event *waits,
						   cl_event *event)
{
	struct image_side from = { .mem = src }, to = { .mem = dst };
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!IS_MEM(src) || !IS_MEM(dst) || image_is_of_buffer(src) || image_is_of_buffer(dst))
		return CL_INVALID_MEM_OBJECT;
	if (!nr_waits != !waits)
		return CL_INVALID_EVENT_WAIT_LIST;
	code = check(queue, &from, &to, src_origin, dst_origin, region);
	if (!code)
		code = command_init(&c, queue, CL_COMMAND_COPY_IMAGE, nr_waits, waits, event);
	if (code)
		return code;
	return command_finish(&c, image_copy(&c, &from, &to));
}
