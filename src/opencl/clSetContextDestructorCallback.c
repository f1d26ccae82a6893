/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clSetContextDestructorCallback(
	cl_context context, void(CL_CALLBACK *pfn_notify)(cl_context context, void *user_data), void *user_data)
{
	struct context_callback *cb;

	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (!pfn_notify)
		return CL_INVALID_VALUE;
	cb = malloc(sizeof(*cb));
	if (!cb)
		return CL_OUT_OF_HOST_MEMORY;
	cb->fn = pfn_notify;
	cb->data = user_data;
	pthread_mutex_lock(&context->lock);
	cb->next = context->destructors;
	context->destructors = cb;
	pthread_mutex_unlock(&context->lock);
	return CL_SUCCESS;
}
