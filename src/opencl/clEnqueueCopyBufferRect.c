/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem src, cl_mem dst,
							const size_t *src_origin, const size_t *dst_origin,
							const size_t *region, size_t src_row_pitch,
							size_t src_slice_pitch, size_t dst_row_pitch,
							size_t dst_slice_pitch, cl_uint nr_waits,
							const cl_event *waits, cl_event *event)
{
	struct trnc_cmd_copy_rect *rec;
	struct command c;
	size_t offset;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check(src, queue);
	if (!code)
		code = mem_check(dst, queue);
	if (code)
		return code;
	if (!src_origin || !dst_origin || !region)
		return CL_INVALID_VALUE;
	code = rect_check(src_origin, region, &src_row_pitch, &src_slice_pitch, src->size, &offset);
	if (!code)
		code = rect_check(dst_origin, region, &dst_row_pitch, &dst_slice_pitch, dst->size, &offset);
	if (code)
		return code;
	if (src == dst) {
		if (src_row_pitch != dst_row_pitch || src_slice_pitch != dst_slice_pitch)
			return CL_INVALID_VALUE;
		if (rect_overlaps(src_origin, dst_origin, region, src_row_pitch, src_slice_pitch))
			return CL_MEM_COPY_OVERLAP;
	}

	code = command_init(&c, queue, CL_COMMAND_COPY_BUFFER_RECT, nr_waits, waits, event);
	if (code)
		return code;
	code = command_begin(&c, TRNC_REC_COPY_RECT, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return command_finish(&c, code);
	rec->src = src->handle;
	rec->dst = dst->handle;
	for (int i = 0; i < 3; i++) {
		rec->src_origin[i] = src_origin[i];
		rec->dst_origin[i] = dst_origin[i];
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
