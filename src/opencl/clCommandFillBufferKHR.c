/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueFillBuffer(queue, r->mems[0], r->pattern, r->pattern_size, r->sizes[0], r->sizes[1], nr_waits,
				   waits, event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandFillBufferKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_size,
	size_t offset, size_t size, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = {
		replay,
		.mems = { mem },
		.sizes = { offset, size },
		.pattern_size = pattern_size,
	};
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueFillBuffer(&r.queue, mem, pattern, pattern_size, offset, size, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD) /* so it is a size that fits */
		memcpy(command.pattern, pattern, pattern_size);
	return recording_end(&r, code, &command, sync_point);
}
