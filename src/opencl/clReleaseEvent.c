/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

/* A user event that nobody can set any more: its slot must not wait for a completion that never comes. */
static void forget_user_event(cl_event e)
{
	struct client_context *client = e->context->client;
	struct trnc_rec_object *rec;

	if (!e->handle || client_rec_begin(client, TRNC_REC_EVENT_RELEASE, sizeof(*rec), (void **)&rec))
		return;
	rec->handle = e->handle;
	client_rec_end(client);
}

CL_API_ENTRY cl_int CL_API_CALL clReleaseEvent(cl_event e)
{
	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	if (!head_unref(&e->head))
		return CL_SUCCESS;
	if (e->type == CL_COMMAND_USER && atomic_load(&e->local_status) > CL_COMPLETE) {
		forget_user_event(e);
		event_free(e);
	} else {
		event_bury(e);
	}
	return CL_SUCCESS;
}
