/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"

CL_API_ENTRY cl_event CL_API_CALL clCreateUserEvent(cl_context context, cl_int *errcode_ret)
{
	struct trnc_rec_object *rec;
	cl_event e;
	int r;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	e = event_new(context, NULL, CL_COMMAND_USER);
	if (!e)
		return fail_with(errcode_ret, client_context_is_lost(context->client) ? CL_OUT_OF_RESOURCES :
											CL_OUT_OF_HOST_MEMORY);
	r = client_rec_begin(context->client, TRNC_REC_USER_EVENT_CREATE, sizeof(*rec), (void **)&rec);
	if (r) {
		event_free(e);
		return fail_with(errcode_ret, cl_error_from(r));
	}
	rec->handle = e->handle;
	client_rec_end(context->client);
	/* Nobody queues or submits a user event: the program holds it from the start. */
	e->local_status = CL_SUBMITTED;
	fail_with(errcode_ret, CL_SUCCESS);
	return e;
}
