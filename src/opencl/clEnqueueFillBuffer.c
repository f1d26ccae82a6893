/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/commands.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
						    size_t pattern_size, size_t offset, size_t size, cl_uint nr_waits,
						    const cl_event *waits, cl_event *event)
{
	struct trnc_cmd_fill *rec;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check(buffer, queue);
	if (!code)
		code = mem_check_range(buffer, offset, size);
	if (code)
		return code;
	if (!pattern || !pattern_size || pattern_size > sizeof(rec->pattern) || pattern_size & (pattern_size - 1))
		return CL_INVALID_VALUE;
	if (offset % pattern_size || size % pattern_size)
		return CL_INVALID_VALUE;

	code = command_init(&c, queue, CL_COMMAND_FILL_BUFFER, nr_waits, waits, event);
	if (code)
		return code;
	code = command_begin(&c, TRNC_REC_FILL, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return command_finish(&c, code);
	rec->buffer = buffer->handle;
	rec->offset = offset;
	rec->size = size;
	rec->pattern_size = pattern_size;
	memcpy(rec->pattern, pattern, pattern_size);
	command_end(&c);
	shadow_mark(buffer, queue);
	return command_finish(&c, CL_SUCCESS);
}
