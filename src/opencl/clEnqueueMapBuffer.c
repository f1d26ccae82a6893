/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"
#include "opencl/map.h"

/* In the host driver's order. */
static cl_int check(cl_command_queue queue, cl_mem buffer, size_t offset, size_t size, cl_uint nr_waits,
		    const cl_event *waits)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!IS_MEM(buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!size)
		return CL_INVALID_VALUE;
	code = mem_check(buffer, queue);
	if (!code)
		code = wait_list_check(queue->context, nr_waits, waits);
	return code ? code : mem_check_range(buffer, offset, size);
}

CL_API_ENTRY void *CL_API_CALL clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_map,
						  cl_map_flags map_flags, size_t offset, size_t size, cl_uint nr_waits,
						  const cl_event *waits, cl_event *event, cl_int *errcode_ret)
{
	struct map_request request = {
		.mem = buffer,
		.type = CL_COMMAND_MAP_BUFFER,
		.blocking = blocking_map,
		.flags = map_flags,
		.offset = offset,
		.size = size,
	};
	cl_int code = check(queue, buffer, offset, size, nr_waits, waits);

	if (code)
		return fail_with(errcode_ret, code);
	return map_enqueue(queue, &request, nr_waits, waits, event, errcode_ret);
}
