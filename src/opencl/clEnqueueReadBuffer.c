/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_read,
						    size_t offset, size_t size, void *ptr, cl_uint nr_waits,
						    const cl_event *waits, cl_event *event)
{
	struct transfer t = { .host = ptr, .region = { size, 1, 1 }, .to_host = true };
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check_bytes(buffer, queue);
	if (code)
		return code;
	if (buffer->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	if (!ptr)
		return CL_INVALID_VALUE;
	code = mem_check_range(buffer, offset, size);
	if (code)
		return code;
	code = command_init(&c, queue, CL_COMMAND_READ_BUFFER, nr_waits, waits, event);
	if (code)
		return code;
	t.buffer = buffer->bytes + offset;
	return command_finish(&c, transfer_enqueue(&c, buffer, offset, &t, blocking_read));
}
