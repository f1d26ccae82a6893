/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/commands.h"
#include "opencl/marker.h"

#define FILL_PATTERN_MAX sizeof(((struct trnc_cmd_fill *)NULL)->pattern)

/* In the host driver's order. */
static cl_int check(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size, size_t offset,
		    size_t size, cl_uint nr_waits, const cl_event *waits)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = wait_list_check(queue->context, nr_waits, waits);
	if (!code)
		code = mem_check(buffer, queue);
	if (!code)
		code = mem_check_range(buffer, offset, size);
	if (code)
		return code;
	if (!pattern || !pattern_size || pattern_size > FILL_PATTERN_MAX || pattern_size & (pattern_size - 1))
		return CL_INVALID_VALUE;
	return offset % pattern_size || size % pattern_size ? CL_INVALID_VALUE : CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
						    size_t pattern_size, size_t offset, size_t size, cl_uint nr_waits,
						    const cl_event *waits, cl_event *event)
{
	struct trnc_cmd_fill *rec;
	struct command c;
	cl_int code;

	code = check(queue, buffer, pattern, pattern_size, offset, size, nr_waits, waits);
	if (code)
		return code;
	if (!size) /* nothing but a place in the queue */
		return marker_enqueue(queue, CL_COMMAND_FILL_BUFFER, TRNC_REC_MARKER, nr_waits, waits, event);

	code = command_init(&c, queue, CL_COMMAND_FILL_BUFFER, nr_waits, waits, event);
	if (code)
		return code;
	code = buffer_announce(buffer);
	if (!code)
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
