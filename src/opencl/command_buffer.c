/* SPDX-License-Identifier: MIT */
/*
 * The replay needs events only in a queue that is out of order: of the commands that others wait for, and of those that
 * nobody waits for, which together make up the end.  In an in-order queue it is a row of plain records.
 */
#include "opencl/command_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "opencl/commands.h"
#include "opencl/marker.h"

/* Wait lists have a limit; markers in between keep below it. */
#define JOIN_MAX (TRNC_MAX_WAITS / 2)

/* The events of one replay. All but waits are owned. */
struct replay {
	cl_command_buffer_khr buffer;
	cl_command_queue queue;
	cl_uint nr_waits; /* the program's */
	const cl_event *waits;
	cl_event *events; /* one a command; NULL: nobody needs it; counted */
	cl_event *list;	  /* room for a wait list */
};

/* A kernel does not count what its arguments name; the commands of a buffer do. */
static void count_args(cl_kernel k)
{
	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		struct kernel_arg *a = &k->args[i];

		/* One that is gone already is not to be looked at again. */
		a->mem = IS_MEM(a->mem) ? a->mem : NULL;
		a->sampler = IS_SAMPLER(a->sampler) ? a->sampler : NULL;
		if (a->mem)
			head_ref(&a->mem->head);
		if (a->sampler)
			head_ref(&a->sampler->head);
	}
}

static void release_args(cl_kernel k)
{
	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		if (k->args[i].mem)
			clReleaseMemObject(k->args[i].mem);
		if (k->args[i].sampler)
			clReleaseSampler(k->args[i].sampler);
	}
}

static void recorded_free(struct recorded *r)
{
	for (int i = 0; i < 2; i++)
		if (r->mems[i])
			clReleaseMemObject(r->mems[i]);
	if (r->clone) {
		release_args(r->clone);
		/* Gives back the reference that recording_end() took from the program. */
		head_ref(&r->clone->program->head);
		clReleaseKernel(r->clone);
	}
	if (r->kernel)
		clReleaseKernel(r->kernel);
	free(r->waits);
	free(r);
}

void command_buffer_destroy(cl_command_buffer_khr b)
{
	for (uint32_t i = 0; i < b->nr_commands; i++)
		recorded_free(b->commands[i]);
	for (uint32_t i = 0; i < b->nr_pending; i++)
		clReleaseEvent(b->pending[i]);
	free(b->commands);
	free(b->pending);
	free(b->properties);
	clReleaseCommandQueue(b->queue);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* -------------------------------------------------------------- recording */

static void make_recording_queue(struct recording *r, cl_command_queue q)
{
	head_init(&r->queue.head, KIND_QUEUE);
	r->queue.context = q->context;
	r->queue.device = q->device;
	r->queue.in_order = q->in_order;
	r->queue.profiling = q->profiling;
	r->queue.recording = r;
}

cl_int recording_init(struct recording *r, cl_command_buffer_khr buffer, cl_command_queue queue, cl_uint nr_waits,
		      const cl_sync_point_khr *waits, const cl_mutable_command_khr *mutable_handle)
{
	if (!IS_COMMAND_BUFFER(buffer))
		return CL_INVALID_COMMAND_BUFFER_KHR;
	if (queue)
		return CL_INVALID_COMMAND_QUEUE;
	if (mutable_handle)
		return CL_INVALID_VALUE;
	*r = (struct recording){ .buffer = buffer, .nr_waits = nr_waits, .waits = waits };
	make_recording_queue(r, buffer->queue);
	return CL_SUCCESS;
}

cl_int recording_check(const struct recording *r)
{
	uint32_t nr_commands;

	if (!r->nr_waits != !r->waits)
		return CL_INVALID_SYNC_POINT_WAIT_LIST_KHR;
	pthread_mutex_lock(&r->buffer->lock);
	nr_commands = r->buffer->nr_commands;
	pthread_mutex_unlock(&r->buffer->lock);
	for (cl_uint i = 0; i < r->nr_waits; i++)
		if (!r->waits[i] || r->waits[i] > nr_commands)
			return CL_INVALID_SYNC_POINT_WAIT_LIST_KHR;
	return RECORDING_IS_GOOD;
}

void recorded_set_boxes(struct recorded *command, const size_t *origin, const size_t *other, const size_t *region)
{
	memcpy(command->boxes[0], origin, sizeof(command->boxes[0]));
	if (other)
		memcpy(command->boxes[1], other, sizeof(command->boxes[1]));
	memcpy(command->boxes[2], region, sizeof(command->boxes[2]));
}

/* Counts what the command needs later. Frees nothing when memory is short. */
static struct recorded *recorded_new(const struct recording *r, const struct recorded *command)
{
	struct recorded *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *command;
	if (r->nr_waits) {
		copy->waits = malloc(r->nr_waits * sizeof(*copy->waits));
		if (!copy->waits) {
			free(copy);
			return NULL;
		}
		memcpy(copy->waits, r->waits, r->nr_waits * sizeof(*copy->waits));
		copy->nr_waits = r->nr_waits;
	}
	for (int i = 0; i < 2; i++)
		if (copy->mems[i])
			head_ref(&copy->mems[i]->head);
	if (copy->kernel)
		head_ref(&copy->kernel->head);
	if (copy->clone) {
		count_args(copy->clone);
		/* The program sees no reference for this one; the other kernel keeps it alive. */
		head_unref(&copy->clone->program->head);
	}
	return copy;
}

static cl_int add_locked(cl_command_buffer_khr b, struct recorded *command, cl_sync_point_khr *ret_point)
{
	struct recorded **more;

	if (b->is_finalized)
		return CL_INVALID_OPERATION;
	if ((b->nr_commands & (b->nr_commands - 1)) == 0) { /* full: the room doubles */
		more = realloc(b->commands, (b->nr_commands ? 2 * b->nr_commands : 1) * sizeof(struct recorded *));
		if (!more)
			return CL_OUT_OF_HOST_MEMORY;
		b->commands = more;
	}
	b->commands[b->nr_commands++] = command;
	for (cl_uint i = 0; i < command->nr_waits; i++)
		b->commands[command->waits[i] - 1]->is_waited_for = true;
	if (ret_point)
		*ret_point = b->nr_commands;
	return CL_SUCCESS;
}

cl_int recording_end(struct recording *r, cl_int checked, const struct recorded *command, cl_sync_point_khr *ret_point)
{
	struct recorded *copy;
	cl_int code = checked;

	if (code == RECORDING_IS_GOOD) {
		copy = recorded_new(r, command);
		if (copy) {
			pthread_mutex_lock(&r->buffer->lock);
			code = add_locked(r->buffer, copy, ret_point);
			pthread_mutex_unlock(&r->buffer->lock);
			if (code)
				recorded_free(copy);
			return code;
		}
		code = CL_OUT_OF_HOST_MEMORY;
	}
	if (command->clone)
		clReleaseKernel(command->clone);
	return code;
}

/* ----------------------------------------------------------------- replay */

static uint32_t pending_locked(cl_command_buffer_khr b)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < b->nr_pending; i++) {
		if (event_status(b->pending[i]) > CL_COMPLETE)
			b->pending[left++] = b->pending[i];
		else
			clReleaseEvent(b->pending[i]);
	}
	b->nr_pending = left;
	return left + b->nr_starting;
}

uint32_t command_buffer_pending(cl_command_buffer_khr b)
{
	uint32_t nr;

	pthread_mutex_lock(&b->lock);
	nr = pending_locked(b);
	pthread_mutex_unlock(&b->lock);
	return nr;
}

/* The wait list of a command: what it names, then the program's. */
static cl_uint collect(const struct replay *p, const struct recorded *r)
{
	cl_uint nr = 0;

	if (!p->queue->in_order)
		for (cl_uint i = 0; i < r->nr_waits; i++)
			p->list[nr++] = p->events[r->waits[i] - 1];
	for (cl_uint i = 0; i < p->nr_waits; i++)
		p->list[nr++] = p->waits[i];
	return nr;
}

static cl_int replay_commands(struct replay *p)
{
	cl_command_buffer_khr b = p->buffer;

	for (uint32_t i = 0; i < b->nr_commands; i++) {
		const struct recorded *r = b->commands[i];
		cl_uint nr = collect(p, r);
		cl_int code;

		code = r->replay(r, p->queue, nr, nr ? p->list : NULL, p->queue->in_order ? NULL : &p->events[i]);
		if (code)
			return code;
	}
	return CL_SUCCESS;
}

/* One event instead of many. */
static cl_int join(const struct replay *p, cl_uint *nr)
{
	cl_event joined;
	cl_int code = marker_enqueue(p->queue, CL_COMMAND_COMMAND_BUFFER_KHR, TRNC_REC_MARKER, *nr, p->list, &joined);

	if (code)
		return code;
	for (cl_uint i = 0; i < *nr; i++)
		clReleaseEvent(p->list[i]);
	p->list[0] = joined;
	*nr = 1;
	return CL_SUCCESS;
}

/* The end of the whole. */
static cl_int replay_end(struct replay *p, cl_event *ret_event)
{
	cl_command_buffer_khr b = p->buffer;
	cl_uint nr = 0;
	cl_int code;

	if (p->queue->in_order)
		return marker_enqueue(p->queue, CL_COMMAND_COMMAND_BUFFER_KHR, TRNC_REC_MARKER, p->nr_waits, p->waits,
				      ret_event);
	for (uint32_t i = 0; i < b->nr_commands; i++) {
		if (b->commands[i]->is_waited_for)
			continue;
		p->list[nr++] = p->events[i];
		head_ref(&p->events[i]->head);
		code = nr == JOIN_MAX ? join(p, &nr) : CL_SUCCESS;
		if (code)
			goto out;
	}
	code = marker_enqueue(p->queue, CL_COMMAND_COMMAND_BUFFER_KHR, TRNC_REC_MARKER, nr, nr ? p->list : NULL, ret_event);
out:
	while (nr)
		clReleaseEvent(p->list[--nr]);
	return code;
}

static cl_int replay(struct replay *p, cl_event *ret_event)
{
	size_t nr = p->buffer->nr_commands;
	cl_int code = CL_OUT_OF_HOST_MEMORY;

	p->events = calloc(nr ? nr : 1, sizeof(cl_event));
	p->list = malloc((nr + p->nr_waits + 1) * sizeof(cl_event));
	if (p->events && p->list)
		code = replay_commands(p);
	if (!code)
		code = replay_end(p, ret_event);
	for (size_t i = 0; p->events && i < nr; i++)
		if (p->events[i])
			clReleaseEvent(p->events[i]);
	free(p->events);
	free(p->list);
	return code;
}

static bool may_run_again(cl_command_buffer_khr b)
{
	if (!pending_locked(b))
		return true;
	for (size_t i = 0; i < b->nr_properties; i++)
		if (b->properties[2 * i] == CL_COMMAND_BUFFER_FLAGS_KHR)
			return b->properties[2 * i + 1] & CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR;
	return false;
}

static cl_int begin(cl_command_buffer_khr b)
{
	cl_int code = CL_INVALID_OPERATION;
	cl_event *more;

	pthread_mutex_lock(&b->lock);
	if (b->is_finalized && may_run_again(b)) {
		more = realloc(b->pending, (b->nr_pending + b->nr_starting + 1) * sizeof(cl_event));
		code = more ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	}
	if (!code) {
		b->pending = more;
		b->nr_starting++;
	}
	pthread_mutex_unlock(&b->lock);
	return code;
}

/* event: NULL, or counted for the buffer. */
static void end(cl_command_buffer_khr b, cl_event event)
{
	pthread_mutex_lock(&b->lock);
	b->nr_starting--;
	if (event)
		b->pending[b->nr_pending++] = event;
	pthread_mutex_unlock(&b->lock);
}

cl_int command_buffer_replay(cl_command_buffer_khr b, cl_command_queue queue, cl_uint nr_waits, const cl_event *waits,
			     cl_event *event)
{
	struct replay p = { .buffer = b, .queue = queue, .nr_waits = nr_waits, .waits = waits };
	cl_event whole = NULL;
	cl_int code = begin(b);

	if (code)
		return code;
	code = replay(&p, &whole);
	if (!code && event) {
		head_ref(&whole->head);
		*event = whole;
	}
	end(b, code ? NULL : whole);
	return code;
}
