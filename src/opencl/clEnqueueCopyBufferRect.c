/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

/* In the host driver's order. */
static cl_int check_objects(cl_command_queue queue, cl_mem src, cl_mem dst, cl_uint nr_waits, const cl_event *waits)
{
	cl_int code = wait_list_check_count(nr_waits, waits);

	if (!code)
		code = mem_check_any(src, queue);
	return code ? code : mem_check_any(dst, queue);
}

/* PoCL crashes when given a sub-buffer here, so the host gets the buffer that it is a part of. */
static cl_mem whole_buffer(cl_mem mem, const size_t origin[3], size_t ret_origin[3])
{
	for (int i = 0; i < 3; i++)
		ret_origin[i] = origin[i];
	if (!mem->parent)
		return mem;
	ret_origin[0] += mem->origin;
	return mem->parent;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem src, cl_mem dst,
							const size_t *src_origin, const size_t *dst_origin,
							const size_t *region, size_t src_row_pitch,
							size_t src_slice_pitch, size_t dst_row_pitch,
							size_t dst_slice_pitch, cl_uint nr_waits,
							const cl_event *waits, cl_event *event)
{
	size_t src_at[3], dst_at[3], offset;
	struct trnc_cmd_copy_rect *rec;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = check_objects(queue, src, dst, nr_waits, waits);
	if (code)
		return code;
	if (!src_origin || !dst_origin || !region)
		return CL_INVALID_VALUE;
	if (src->image || dst->image)
		return CL_INVALID_MEM_OBJECT;
	code = rect_check(src_origin, region, &src_row_pitch, &src_slice_pitch, src->size, &offset);
	if (!code)
		code = rect_check(dst_origin, region, &dst_row_pitch, &dst_slice_pitch, dst->size, &offset);
	if (code)
		return code;
	src = whole_buffer(src, src_origin, src_at);
	dst = whole_buffer(dst, dst_origin, dst_at);
	if (src == dst) {
		if (src_row_pitch != dst_row_pitch || src_slice_pitch != dst_slice_pitch)
			return CL_INVALID_VALUE;
		if (rect_overlaps(src_at, dst_at, region, src_row_pitch, src_slice_pitch))
			return CL_MEM_COPY_OVERLAP;
	}

	code = command_init(&c, queue, CL_COMMAND_COPY_BUFFER_RECT, nr_waits, waits, event);
	if (code)
		return code;
	code = buffer_announce(src);
	if (!code)
		code = buffer_announce(dst);
	if (!code)
		code = command_begin(&c, TRNC_REC_COPY_RECT, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return command_finish(&c, code);
	rec->src = src->handle;
	rec->dst = dst->handle;
	for (int i = 0; i < 3; i++) {
		rec->src_origin[i] = src_at[i];
		rec->dst_origin[i] = dst_at[i];
		rec->region[i] = region[i];
	}
	rec->src_row_pitch = src_row_pitch;
	rec->src_slice_pitch = src_slice_pitch;
	rec->dst_row_pitch = dst_row_pitch;
	rec->dst_slice_pitch = dst_slice_pitch;
	command_end(&c);
	shadow_mark(dst, queue);
	return command_finish(&c, CL_SUCCESS);
}
