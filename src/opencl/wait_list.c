/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/commands.h"

cl_int wait_list_check_count(cl_uint nr, const cl_event *events)
{
	return !nr == !events ? CL_SUCCESS : CL_INVALID_EVENT_WAIT_LIST;
}

cl_int wait_list_check(cl_context ctx, cl_uint nr, const cl_event *events)
{
	if (!nr != !events)
		return CL_INVALID_EVENT_WAIT_LIST;
	for (cl_uint i = 0; i < nr; i++) {
		if (!IS_EVENT(events[i]))
			return CL_INVALID_EVENT_WAIT_LIST;
		if (events[i]->context != ctx)
			return CL_INVALID_CONTEXT;
	}
	return CL_SUCCESS;
}

static cl_int collect(struct wait_list *w, cl_uint nr, const cl_event *events)
{
	w->handles = w->inline_handles;
	w->nr = 0;
	if (nr > WAIT_LIST_INLINE) {
		w->handles = malloc(nr * sizeof(*w->handles));
		if (!w->handles)
			return CL_OUT_OF_HOST_MEMORY;
	}
	/* Failed events stay in: the host gives their dependents the right error. */
	for (cl_uint i = 0; i < nr; i++) {
		if (!events[i] || event_status(events[i]) == CL_COMPLETE)
			continue;
		if (event_announce(events[i])) {
			wait_list_finish(w);
			return CL_OUT_OF_HOST_MEMORY;
		}
		if (events[i]->handle)
			w->handles[w->nr++] = events[i]->handle;
	}
	if (w->nr <= TRNC_MAX_WAITS)
		return CL_SUCCESS;
	wait_list_finish(w);
	return CL_OUT_OF_RESOURCES;
}

cl_int wait_list_init(struct wait_list *w, cl_context ctx, cl_uint nr, const cl_event *events)
{
	cl_int code = wait_list_check(ctx, nr, events);

	return code ? code : collect(w, nr, events);
}

cl_int wait_list_init_lenient(struct wait_list *w, cl_context ctx, cl_uint nr, const cl_event *events)
{
	if (nr && !events)
		return CL_INVALID_EVENT_WAIT_LIST;
	for (cl_uint i = 0; i < nr; i++) {
		if (events[i] && !IS_EVENT(events[i]))
			return CL_INVALID_EVENT_WAIT_LIST;
		if (events[i] && events[i]->context != ctx && event_status(events[i]) != CL_COMPLETE)
			return CL_INVALID_CONTEXT;
	}
	return collect(w, nr, events);
}

void wait_list_finish(struct wait_list *w)
{
	if (w->handles != w->inline_handles)
		free(w->handles);
	w->handles = w->inline_handles;
	w->nr = 0;
}
