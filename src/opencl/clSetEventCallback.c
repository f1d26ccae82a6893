/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/commands.h"

struct callback_item {
	struct worker_item item;
	void(CL_CALLBACK *fn)(cl_event, cl_int, void *);
	void *data;
};

static void run_callback(struct worker_item *item, cl_int status)
{
	struct callback_item *cb = base_container_of(item, struct callback_item, item);

	if (status == CL_COMPLETE && item->level == CL_COMPLETE)
		shadow_sync(item->event->context); /* the callback may read the program's memory */
	/* A status that was passed in the meantime is reported as the one that was asked for. */
	cb->fn(item->event, status < 0 ? status : item->level, cb->data);
	free(cb);
}

CL_API_ENTRY cl_int CL_API_CALL clSetEventCallback(cl_event e, cl_int level,
						   void(CL_CALLBACK *pfn_notify)(cl_event, cl_int, void *),
						   void *user_data)
{
	struct callback_item *cb;
	cl_int code;

	if (!IS_EVENT(e))
		return CL_INVALID_EVENT;
	if (!pfn_notify || (level != CL_SUBMITTED && level != CL_RUNNING && level != CL_COMPLETE))
		return CL_INVALID_VALUE;
	cb = calloc(1, sizeof(*cb));
	if (!cb)
		return CL_OUT_OF_HOST_MEMORY;
	cb->item.event = e;
	cb->item.level = level;
	cb->item.run = run_callback;
	cb->fn = pfn_notify;
	cb->data = user_data;
	head_ref(&e->head);
	code = worker_add(e->context, &e->context->callbacks, "tranche-cb", &cb->item);
	if (code) {
		clReleaseEvent(e);
		free(cb);
	}
	return code;
}
