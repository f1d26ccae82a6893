/* SPDX-License-Identifier: MIT */
#include "opencl/queue.h"

/*
 * An out-of-order queue holds its newest barrier, whose event holds the queue.  When those two are all that is left, the
 * circle is cut: nobody can enqueue what would have to wait for the barrier.
 */
static cl_event take_barrier(cl_command_queue q)
{
	cl_event barrier = NULL;

	pthread_mutex_lock(&q->context->lock);
	if (q->barrier && atomic_load(&q->head.refs) == 2) {
		barrier = q->barrier;
		q->barrier = NULL;
	}
	pthread_mutex_unlock(&q->context->lock);
	return barrier;
}

CL_API_ENTRY cl_int CL_API_CALL clReleaseCommandQueue(cl_command_queue command_queue)
{
	cl_event barrier;

	if (!IS_QUEUE(command_queue))
		return CL_INVALID_COMMAND_QUEUE;
	/* Records are published as they are written: nothing is left to flush. */
	barrier = take_barrier(command_queue);
	if (barrier)
		clReleaseEvent(barrier); /* may come back here, for the event's reference */
	if (head_unref(&command_queue->head))
		queue_destroy(command_queue);
	return CL_SUCCESS;
}
