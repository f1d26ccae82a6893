/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"
#include "opencl/marker.h"

static cl_int replay(const struct recorded *r, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
		     cl_event *event)
{
	return marker_enqueue(queue, CL_COMMAND_BARRIER, TRNC_REC_BARRIER, nr_waits, waits, event);
}

CL_API_ENTRY cl_int CL_API_CALL clCommandBarrierWithWaitListKHR(
	cl_command_buffer_khr buffer, cl_command_queue queue, cl_uint nr_waits, const cl_sync_point_khr *waits,
	cl_sync_point_khr *sync_point, cl_mutable_command_khr *mutable_handle)
{
	const struct recorded command = { .replay = replay };
	struct recording r;
	cl_int code = recording_init(&r, buffer, queue, nr_waits, waits, mutable_handle);

	if (code)
		return code;
	code = clEnqueueBarrierWithWaitList(&r.queue, 0, NULL, NULL);
	return recording_end(&r, code, &command, sync_point);
}
