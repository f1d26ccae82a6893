/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

/*
 * An out-of-order queue holds its newest barrier, whose event holds the queue.  When those two are all that is left, the
 * circle is cut: nobody can enqueue what would have to wait for the barrier.
 */
static bool unref(cl_command_queue q)
{
	cl_context ctx = q->context;
	cl_event barrier = NULL;
	bool is_last;

	if (q->in_order)
		return head_unref(&q->head);
	/* References are dropped under the lock: of two threads that do, the second sees the circle. */
	pthread_mutex_lock(&ctx->lock);
	if (q->barrier && atomic_load(&q->head.refs) == 2) {
		barrier = q->barrier;
		q->barrier = NULL;
	}
	is_last = !barrier && head_unref(&q->head);
	pthread_mutex_unlock(&ctx->lock);
	if (!barrier)
		return is_last;
	clReleaseEvent(barrier); /* may come back here, for the event's reference */
	return head_unref(&q->head); /* nothing points back at it any more */
}

CL_API_ENTRY cl_int CL_API_CALL clReleaseCommandQueue(cl_command_queue command_queue)
{
	if (!IS_QUEUE(command_queue))
		return CL_INVALID_COMMAND_QUEUE;
	/* Records are published as they are written: nothing is left to flush. */
	if (unref(command_queue))
		queue_destroy(command_queue);
	return CL_SUCCESS;
}
