/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"

#define COLOR_SIZE 16 /* four components, whatever the format */

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return clEnqueueFillImage(queue, r->mems[0], r->pattern, r->boxes[0], r->boxes[2], nr_waits, waits, event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandFillImageKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_mem image, const void *color, const size_t *origin,
	const size_t *region, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	struct recorded command = { replay, .mems = { image } };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueFillImage(&r.queue, image, color, origin, region, 0, NULL, NULL);
	if (code == RECORDING_IS_GOOD) {
		memcpy(command.pattern, color, COLOR_SIZE);
		recorded_set_boxes(&command, origin, NULL, region);
	}
	return recording_end(&r, code, &command, sync_point);
}
