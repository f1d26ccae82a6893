/* SPDX-License-Identifier: MIT */
/* Commands whose work is done by this process, in a thread of its own: the host only tells when. */
#include "opencl/commands.h"

void client_command_end(cl_event event, cl_int status, uint64_t start_ns)
{
	struct client_context *client = event->context->client;
	struct trnc_rec_user_event_set *rec;

	/* The host passes our bytes on to whoever sees the event's end; thread sanitizers, which do not know it, go by this. */
	atomic_store_explicit(&event->local_status, CL_QUEUED, memory_order_release);
	if (client_rec_begin(client, TRNC_REC_USER_EVENT_SET, sizeof(*rec), (void **)&rec))
		return; /* lost: the event counts as failed */
	rec->event = event->handle;
	rec->status = status;
	rec->start_ns = start_ns;
	rec->end_ns = client_clock_ns(client);
	client_rec_end(client);
}

cl_int client_command_enqueue(struct command *c, struct worker **slot, const char *name, struct worker_item *item)
{
	cl_int code = command_need_event(c);

	if (!code)
		code = command_write_bare(c, TRNC_REC_CLIENT);
	if (code)
		return code;
	item->event = c->event;
	item->level = CL_RUNNING;
	head_ref(&c->event->head);
	if (worker_add(c->queue->context, slot, name, item)) {
		cl_event event = item->event;

		client_command_end(event, CL_OUT_OF_HOST_MEMORY, 0);
		item->run(item, CL_OUT_OF_HOST_MEMORY);
		clReleaseEvent(event);
	}
	command_hand_out(c);
	return CL_SUCCESS;
}
