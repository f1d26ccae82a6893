/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueCopyBufferRect(queue, r->mems[0], r->mems[1], r->boxes[0], r->boxes[1], r->boxes[2], r->sizes[0],
				       r->sizes[1], r->sizes[2], r->sizes[3], nr_waits, waits, event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandCopyBufferRectKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem src, cl_mem dst, const size_t *src_origin,
	const size_t *dst_origin, const size_t *region, size_t src_row_pitch, size_t src_slice_pitch,
	size_t dst_row_pitch, size_t dst_slice_pitch, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = {
		replay,
		.mems = { src, dst },
		.sizes = { src_row_pitch, src_slice_pitch, dst_row_pitch, dst_slice_pitch },
	};
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueCopyBufferRect(&r.queue, src, dst, src_origin, dst_origin, region, src_row_pitch,
				       src_slice_pitch, dst_row_pitch, dst_slice_pitch, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD)
		recorded_set_boxes(&command, src_origin, dst_origin, region);
	return recording_end(&r, code, &command, sync_point);
}
