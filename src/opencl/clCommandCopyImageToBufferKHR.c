/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueCopyImageToBuffer(queue, r->mems[0], r->mems[1], r->boxes[0], r->boxes[2], r->sizes[0], nr_waits,
					  waits, event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandCopyImageToBufferKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem image, cl_mem dst, const size_t *origin,
	const size_t *region, size_t dst_offset, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = { replay, .mems = { image, dst }, .sizes = { dst_offset } };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueCopyImageToBuffer(&r.queue, image, dst, origin, region, dst_offset, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD)
		recorded_set_boxes(&command, origin, NULL, region);
	return recording_end(&r, code, &command, sync_point);
}
