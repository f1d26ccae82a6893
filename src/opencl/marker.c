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

cl_int marker_enqueue(cl_command_queue queue, cl_command_type type, enum trnc_rec_type rec_type, cl_uint nr_waits,
		      const cl_event *waits, cl_event *event)
{
	struct command c;
	cl_int code;

	code = command_init(&c, queue, type, nr_waits, waits, event);
	if (code)
		return code;
	if (rec_type == TRNC_REC_BARRIER && !queue->in_order) {
		code = command_need_event(&c);
		if (code)
			return command_finish(&c, code);
	}
	code = command_write_bare(&c, rec_type);
	if (!code && rec_type == TRNC_REC_BARRIER && !queue->in_order) {
		head_ref(&c.event->head);
		queue_set_barrier(queue, c.event);
	}
	if (!code)
		command_hand_out(&c);
	return command_finish(&c, code);
}
