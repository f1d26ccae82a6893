/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
							const size_t *buffer_origin, const size_t *host_origin,
							const size_t *region, size_t buffer_row_pitch,
							size_t buffer_slice_pitch, size_t host_row_pitch,
							size_t host_slice_pitch, void *ptr, cl_uint nr_waits,
							const cl_event *waits, cl_event *event)
{
	struct transfer t = { .buffer_row = buffer_row_pitch, .buffer_slice = buffer_slice_pitch,
			      .host_row = host_row_pitch, .host_slice = host_slice_pitch, .to_host = true };
	size_t offset, host_offset;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!IS_MEM(buffer) || buffer->image)
		return CL_INVALID_MEM_OBJECT;
	if (buffer->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	code = mem_check(buffer, queue);
	if (!code)
		code = wait_list_check(queue->context, nr_waits, waits);
	if (code)
		return code;
	if (!ptr || !buffer_origin || !host_origin || !region)
		return CL_INVALID_VALUE;
	code = rect_check(buffer_origin, region, &t.buffer_row, &t.buffer_slice, buffer->size, &offset);
	if (!code) /* nobody knows the size of the program's memory */
		code = rect_check(host_origin, region, &t.host_row, &t.host_slice, SIZE_MAX, &host_offset);
	if (code)
		return code;
	code = command_init(&c, queue, CL_COMMAND_READ_BUFFER_RECT, nr_waits, waits, event);
	if (code)
		return code;
	t.buffer = buffer->bytes + offset;
	t.host = (uint8_t *)ptr + host_offset;
	for (int i = 0; i < 3; i++)
		t.region[i] = region[i];
	return command_finish(&c, transfer_enqueue(&c, buffer, offset, &t, blocking));
}
