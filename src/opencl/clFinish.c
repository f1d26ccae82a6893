/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

cl_int queue_finish(cl_command_queue q)
{
	struct client_context *client = q->context->client;
	int r = client_queue_wait(client, &q->client, atomic_load(&q->client.issued));

	if (r || client_context_is_lost(client))
		return CL_OUT_OF_RESOURCES;
	shadow_sync(q->context);
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clFinish(cl_command_queue queue)
{
	return IS_QUEUE(queue) ? queue_finish(queue) : CL_INVALID_COMMAND_QUEUE;
}
