/* SPDX-License-Identifier: MIT */
/* One clEnqueue* call: its wait list, its event, its record, and what must come before it. */
#include "opencl/command_buffer.h"
#include "opencl/commands.h"

cl_int command_init(struct command *c, cl_command_queue queue, cl_command_type type, cl_uint nr_waits,
		    const cl_event *waits, cl_event *ret_event)
{
	c->queue = queue;
	c->type = type;
	c->event = NULL;
	c->ret_event = ret_event;
	c->queued_ns = c->start_ns = 0;
	if (client_context_is_lost(queue->context->client))
		return CL_OUT_OF_RESOURCES;
	if (!nr_waits && !waits) {
		c->waits.handles = c->waits.inline_handles;
		c->waits.nr = 0;
		return CL_SUCCESS;
	}
	if (type == CL_COMMAND_NDRANGE_KERNEL || type == CL_COMMAND_TASK)
		return wait_list_init_lenient(&c->waits, queue->context, nr_waits, waits);
	return wait_list_init(&c->waits, queue->context, nr_waits, waits);
}

cl_int command_finish(struct command *c, cl_int code)
{
	if (c->waits.handles != c->waits.inline_handles)
		wait_list_finish(&c->waits);
	if (c->event)
		event_free(c->event);
	c->event = NULL;
	return code;
}

void command_step_init(struct command *step, struct command *c, cl_event *ret_event)
{
	*step = (struct command){ .queue = c->queue, .type = c->type, .waits = c->waits, .ret_event = ret_event };
	*ret_event = NULL;
	if (c->waits.handles == c->waits.inline_handles)
		step->waits.handles = step->waits.inline_handles;
	c->waits.handles = c->waits.inline_handles;
	c->waits.nr = 0;
}

void command_wait_only_for(struct command *c, cl_event event)
{
	wait_list_finish(&c->waits);
	c->waits.inline_handles[0] = event->handle;
	c->waits.nr = 1;
}

cl_int command_need_event(struct command *c)
{
	if (c->queue->recording)
		return recording_check(c->queue->recording);
	if (!c->event)
		c->event = event_new(c->queue->context, c->queue, c->type);
	if (c->event)
		return CL_SUCCESS;
	return client_context_is_lost(c->queue->context->client) ? CL_OUT_OF_RESOURCES : CL_OUT_OF_HOST_MEMORY;
}

cl_int command_begin(struct command *c, enum trnc_rec_type type, size_t body_len, size_t extra, void **ret_rec,
		     void **ret_extra)
{
	struct client_cmd cmd = {
		.type = type,
		.body_len = body_len,
		.queue = &c->queue->client,
		.waits = c->waits.handles,
		.nr_waits = c->waits.nr,
		.extra = extra,
	};
	cl_int code;
	int r;

	if (c->queue->recording)
		return recording_check(c->queue->recording);
	if (c->ret_event) {
		code = command_need_event(c);
		if (code)
			return code;
	}
	cmd.event = c->event ? c->event->handle : 0;
	/* What waits for events may fail before its turn. */
	r = client_cmd_begin(c->queue->context->client, &cmd, ret_rec, ret_extra,
			     c->event && !c->waits.nr ? &c->event->seq : NULL);
	return r ? cl_error_from(r) : CL_SUCCESS;
}

void command_hand_out(struct command *c)
{
	cl_event e = c->event;

	c->event = NULL;
	if (!e)
		return;
	if (c->ret_event)
		*c->ret_event = e;
	else
		clReleaseEvent(e);
}

void command_end(struct command *c)
{
	client_rec_end(c->queue->context->client);
	command_hand_out(c);
}

cl_int command_write_bare(struct command *c, enum trnc_rec_type type)
{
	void *rec;
	cl_int code = command_begin(c, type, sizeof(struct trnc_cmd), 0, &rec, NULL);

	if (!code)
		client_rec_end(c->queue->context->client);
	return code;
}

cl_event command_get_barrier(cl_command_queue q)
{
	cl_event e;

	pthread_mutex_lock(&q->context->lock);
	e = q->barrier;
	if (e)
		head_ref(&e->head);
	pthread_mutex_unlock(&q->context->lock);
	return e;
}

static bool barrier_is_done(cl_command_queue q)
{
	cl_event e = command_get_barrier(q);
	bool done;

	if (!e)
		return true;
	done = event_status(e) <= CL_COMPLETE;
	clReleaseEvent(e);
	return done;
}

bool command_is_ready(const struct command *c)
{
	cl_command_queue q = c->queue;
	struct client_context *client = q->context->client;

	for (uint32_t i = 0; i < c->waits.nr; i++)
		if (client_event_status(client, c->waits.handles[i]) != CL_COMPLETE)
			return false;
	if (q->in_order)
		return client_queue_is_done(client, &q->client, atomic_load(&q->client.issued));
	return barrier_is_done(q);
}

cl_int command_wait_ready(struct command *c)
{
	cl_command_queue q = c->queue;
	struct client_context *client = q->context->client;
	int32_t status;
	int r = 0;

	for (uint32_t i = 0; i < c->waits.nr; i++) {
		r = client_event_wait(client, c->waits.handles[i], CL_COMPLETE, NULL, 0, &status);
		if (r < 0)
			return cl_error_from(r);
		if (status < 0)
			return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	}
	if (q->in_order) {
		r = client_queue_wait(client, &q->client, atomic_load(&q->client.issued));
	} else {
		cl_event e = command_get_barrier(q);

		if (e) {
			event_wait(e);
			clReleaseEvent(e);
		}
	}
	if (!r && client_context_is_lost(client))
		return CL_OUT_OF_RESOURCES;
	if (c->ret_event)
		c->start_ns = client_clock_ns(c->queue->context->client);
	return cl_error_from(r);
}

cl_int command_complete(struct command *c)
{
	uint64_t queued_ns = c->queued_ns, start_ns = c->start_ns;

	if (c->queue->recording)
		return recording_check(c->queue->recording);
	if (!c->ret_event)
		return CL_SUCCESS;
	if (c->event) { /* its slot was not used */
		event_free(c->event);
		c->event = NULL;
	}
	if (!queued_ns)
		queued_ns = client_clock_ns(c->queue->context->client);
	c->event = event_new_complete(c->queue, c->type, queued_ns, start_ns ? start_ns : queued_ns);
	if (!c->event)
		return CL_OUT_OF_HOST_MEMORY;
	command_hand_out(c);
	return CL_SUCCESS;
}
