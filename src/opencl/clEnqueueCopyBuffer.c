/* SPDX-License-Identifier: MIT */
#include "base/range.h"
#include "opencl/commands.h"

/* In the host driver's order. */
static cl_int check(cl_command_queue queue, cl_mem src, cl_mem dst, size_t src_offset, size_t dst_offset, size_t size,
		    cl_uint nr_waits, const cl_event *waits)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = wait_list_check_count(nr_waits, waits);
	if (code)
		return code;
	/* Both, before anybody's context. */
	if (!IS_MEM(src) || !IS_MEM(dst) || src->image || dst->image)
		return CL_INVALID_MEM_OBJECT;
	code = mem_check(src, queue);
	if (!code)
		code = mem_check(dst, queue);
	if (!code && !size)
		code = CL_INVALID_VALUE;
	if (!code)
		code = mem_check_range(src, src_offset, size);
	if (!code)
		code = mem_check_range(dst, dst_offset, size);
	if (code)
		return code;
	/* Sub-buffers of one buffer may overlap, too: compare the bytes themselves. */
	if ((src == dst || src->parent || dst->parent) &&
	    base_range_overlaps((uintptr_t)src->bytes + src_offset, size, (uintptr_t)dst->bytes + dst_offset, size))
		return CL_MEM_COPY_OVERLAP;
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCopyBuffer(cl_command_queue queue, cl_mem src, cl_mem dst, size_t src_offset,
						    size_t dst_offset, size_t size, cl_uint nr_waits,
						    const cl_event *waits, cl_event *event)
{
	cl_int code = check(queue, src, dst, src_offset, dst_offset, size, nr_waits, waits);
	struct trnc_cmd_copy *rec;
	struct command c;

	if (code)
		return code;
	code = command_init(&c, queue, CL_COMMAND_COPY_BUFFER, nr_waits, waits, event);
	if (code)
		return code;
	code = buffer_announce(src);
	if (!code)
		code = buffer_announce(dst);
	if (!code)
		code = command_begin(&c, TRNC_REC_COPY, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return command_finish(&c, code);
	rec->src = src->handle;
	rec->dst = dst->handle;
	rec->src_offset = src_offset;
	rec->dst_offset = dst_offset;
	rec->size = size;
	command_end(&c);
	shadow_mark(dst, queue);
	return command_finish(&c, CL_SUCCESS);
}
