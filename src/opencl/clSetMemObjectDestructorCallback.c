/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clSetMemObjectDestructorCallback(cl_mem memobj,
								 void(CL_CALLBACK *pfn_notify)(cl_mem, void *),
								 void *user_data)
{
	struct mem_callback *cb;

	if (!IS_MEM(memobj))
		return CL_INVALID_MEM_OBJECT;
	if (!pfn_notify)
		return CL_INVALID_VALUE;
	cb = malloc(sizeof(*cb));
	if (!cb)
		return CL_OUT_OF_HOST_MEMORY;
	cb->fn = pfn_notify;
	cb->data = user_data;
	pthread_mutex_lock(&memobj->lock);
	cb->next = memobj->destructors;
	memobj->destructors = cb;
	pthread_mutex_unlock(&memobj->lock);
	return CL_SUCCESS;
}
