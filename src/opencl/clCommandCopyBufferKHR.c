/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueCopyBuffer(queue, r->mems[0], r->mems[1], r->sizes[0], r->sizes[1], r->sizes[2], nr_waits, waits,
				   event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandCopyBufferKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem src, cl_mem dst, size_t src_offset,
	size_t dst_offset, size_t size, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	const struct recorded command = { replay, .mems = { src, dst }, .sizes = { src_offset, dst_offset, size } };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueCopyBuffer(&r.queue, src, dst, src_offset, dst_offset, size, 0, NULL, NULL);
	return recording_end(&r, code, &command, sync_point);
}
