/* SPDX-License-Identifier: MIT */
/* Commands that do nothing but order others. */
#include "opencl/commands.h"
#include "opencl/marker.h"

/* Client-side copies look at the newest barrier of an out-of-order queue; the host orders everything else itself. */
static void queue_set_barrier(cl_command_queue q, cl_event e)
{
	cl_event old;

	pthread_mutex_lock(&q->context->lock);
	old = q->barrier;
	q->barrier = e;
	pthread_mutex_unlock(&q->context->lock);
	if (old)
		clReleaseEvent(old);
}

/*
 * To the host no wait list means everything before; a list of which nothing is left, or that of a command which only has
 * its turn, means nothing but the newest barrier.  Return: is that complete, too?  Else *ret_barrier is counted.
 */
static bool waits_for_nothing(struct command *c, cl_event *ret_barrier)
{
	cl_event e = command_get_barrier(c->queue);

	if (e && event_status(e) > CL_COMPLETE) {
		c->waits.handles[c->waits.nr++] = e->handle;
		*ret_barrier = e;
		return false;
	}
	if (e)
		clReleaseEvent(e);
	return true;
}

cl_int marker_enqueue(cl_command_queue queue, cl_command_type type, enum trnc_rec_type rec_type, cl_uint nr_waits,
		      const cl_event *waits, cl_event *event)
{
	bool has_turn_only = type != CL_COMMAND_MARKER && type != CL_COMMAND_BARRIER;
	bool waits_for_all = !nr_waits && !has_turn_only; /* a command buffer has listed its commands: none */
	cl_event barrier = NULL;
	struct command c;
	cl_int code;

	code = command_init(&c, queue, type, nr_waits, waits, event);
	if (code)
		return code;
	if (has_turn_only && command_is_ready(&c))
		return command_finish(&c, command_complete(&c));
	if (!queue->in_order && !waits_for_all && !c.waits.nr && waits_for_nothing(&c, &barrier))
		return command_finish(&c, command_complete(&c));
	if (rec_type == TRNC_REC_BARRIER && !queue->in_order)
		code = command_need_event(&c);
	if (!code)
		code = command_write_bare(&c, rec_type);
	if (barrier) /* its slot had to stay its own until here */
		clReleaseEvent(barrier);
	if (!code && rec_type == TRNC_REC_BARRIER && !queue->in_order) {
		head_ref(&c.event->head);
		queue_set_barrier(queue, c.event);
	}
	if (!code)
		command_hand_out(&c);
	return command_finish(&c, code);
}
