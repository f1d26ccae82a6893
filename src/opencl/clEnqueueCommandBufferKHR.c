/* SPDX-License-Identifier: MIT */
#include "opencl/command_buffer.h"
#include "opencl/commands.h"

static cl_int check_queue(cl_command_queue given, cl_command_queue recorded)
{
	if (!IS_QUEUE(given))
		return CL_INVALID_COMMAND_QUEUE;
	if (given->context != recorded->context)
		return CL_INVALID_CONTEXT;
	if (given->device != recorded->device)
		return CL_INCOMPATIBLE_COMMAND_QUEUE_KHR;
	return given->client.properties == recorded->client.properties ? CL_SUCCESS : CL_INCOMPATIBLE_COMMAND_QUEUE_KHR;
}

static cl_int check_waits(cl_command_queue queue, cl_uint nr, const cl_event *events)
{
	struct wait_list w;
	cl_int code = wait_list_init(&w, queue->context, nr, events);

	if (!code)
		wait_list_finish(&w);
	return code;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueCommandBufferKHR(cl_uint num_queues, cl_command_queue *queues,
							  cl_command_buffer_khr command_buffer, cl_uint nr_waits,
							  const cl_event *waits, cl_event *event)
{
	cl_command_queue queue;
	cl_int code;

	if (!IS_COMMAND_BUFFER(command_buffer))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	if (!num_queues != !queues || num_queues > 1)
		return CL_INVALID_VALUE;
	queue = command_buffer->queue;
	if (num_queues) {
		code = check_queue(queues[0], queue);
		if (code)
			return code;
		queue = queues[0];
	}
	code = check_waits(queue, nr_waits, waits);
	return code ? code : command_buffer_replay(command_buffer, queue, nr_waits, waits, event);
}
