/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clSetUserEventStatus(cl_event e, cl_int status)
{
	struct client_context *client;
	struct trnc_rec_user_event_set *rec;
	cl_int expected = CL_SUBMITTED;
	int r;

	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	if (status > CL_COMPLETE)
		return CL_INVALID_VALUE;
	if (e->type != CL_COMMAND_USER)
		return CL_INVALID_EVENT;
	if (!atomic_compare_exchange_strong(&e->local_status, &expected, status))
		return CL_INVALID_OPERATION;

	/* Once the record is out, another thread may see what waited for it end, and release everything. */
	head_ref(&e->head);
	client = e->context->client;
	r = client_rec_begin(client, TRNC_REC_USER_EVENT_SET, sizeof(*rec), (void **)&rec);
	if (!r) {
		rec->event = e->handle;
		rec->status = status;
		client_rec_end(client);
	}
	clReleaseEvent(e);
	return cl_error_from(r);
}
