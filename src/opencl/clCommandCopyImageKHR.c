/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueCopyImage(queue, r->mems[0], r->mems[1], r->boxes[0], r->boxes[1], r->boxes[2], nr_waits, waits,
				  event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandCopyImageKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem src, cl_mem dst, const size_t *src_origin,
	const size_t *dst_origin, const size_t *region, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = { replay, .mems = { src, dst } };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueCopyImage(&r.queue, src, dst, src_origin, dst_origin, region, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD)
		recorded_set_boxes(&command, src_origin, dst_origin, region);
	return recording_end(&r, code, &command, sync_point);
}
