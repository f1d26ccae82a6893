/* SPDX-License-Identifier: MIT */
/* Events: their life, their status, and the slots that outlive them. */
#include <stdlib.h>

#include "base/futex.h"
#include "opencl/commands.h"

/* How many zombies are looked at whenever a new event is made: keeps their number near the number of commands in
 * flight, at a constant cost. */
#define REAP_BATCH 8

static cl_event event_alloc(cl_context ctx, cl_command_queue queue, cl_command_type type)
{
	cl_event e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	head_init(&e->head, KIND_EVENT);
	base_list_init(&e->zombie_node);
	e->context = ctx;
	e->queue = queue;
	e->type = type;
	e->local_status = CL_QUEUED;
	head_ref(&ctx->head);
	if (queue)
		head_ref(&queue->head);
	return e;
}

static void zombie_free(cl_event e)
{
	if (e->staging.ptr)
		client_staging_free(e->context->client, &e->staging);
	client_event_free(e->context->client, e->handle);
	free(e);
}

/* Frees zombies that are complete, of the next limit ones. */
static void zombies_reap(cl_context ctx, unsigned int limit)
{
	struct base_list done;
	cl_event e, tmp;

	base_list_init(&done);
	pthread_mutex_lock(&ctx->lock);
	base_list_for_each_safe(e, tmp, &ctx->zombies, zombie_node) {
		if (!limit--)
			break;
		base_list_remove(&e->zombie_node);
		/* To the end with what still runs: it may wait for ever, and must not hide the others. */
		base_list_append(client_event_status(ctx->client, e->handle) > CL_COMPLETE ? &ctx->zombies : &done,
				 &e->zombie_node);
	}
	pthread_mutex_unlock(&ctx->lock);
	base_list_for_each_safe(e, tmp, &done, zombie_node)
		zombie_free(e);
}

cl_event event_new(cl_context ctx, cl_command_queue queue, cl_command_type type)
{
	cl_event e;

	zombies_reap(ctx, REAP_BATCH);
	e = event_alloc(ctx, queue, type);
	if (!e)
		return NULL;
	e->handle = client_event_new(ctx->client, NULL);
	if (e->handle)
		return e;
	event_free(e);
	return NULL;
}

cl_event event_new_complete(cl_command_queue queue, cl_command_type type, uint64_t queued_ns, uint64_t start_ns)
{
	cl_event e = event_alloc(queue->context, queue, type);

	if (!e)
		return NULL;
	e->local_status = CL_COMPLETE;
	e->queued_ns = queued_ns;
	e->submit_ns = e->start_ns = start_ns;
	e->end_ns = base_clock_raw_ns();
	return e;
}

static void drop_parents(cl_context ctx, cl_command_queue queue)
{
	if (queue)
		clReleaseCommandQueue(queue);
	clReleaseContext(ctx);
}

void event_free(cl_event e)
{
	if (e->staging.ptr)
		client_staging_free(e->context->client, &e->staging);
	if (e->handle)
		client_event_free(e->context->client, e->handle);
	drop_parents(e->context, e->queue);
	free(e);
}

void event_bury(cl_event e)
{
	cl_context ctx = e->context;
	cl_command_queue queue = e->queue;

	e->head.kind = 0;
	if (!e->handle || client_event_status(ctx->client, e->handle) <= CL_COMPLETE) {
		event_free(e);
		return;
	}
	pthread_mutex_lock(&ctx->lock);
	base_list_append(&ctx->zombies, &e->zombie_node);
	pthread_mutex_unlock(&ctx->lock);
	/* A zombie belongs to its context and must not keep it alive. Another thread may have freed it by now. */
	drop_parents(ctx, queue);
}

cl_int event_status(cl_event e)
{
	cl_int status = atomic_load_explicit(&e->local_status, memory_order_acquire);

	if (!e->handle || status <= CL_COMPLETE)
		return status;
	if (e->type == CL_COMMAND_USER)
		return client_context_is_lost(e->context->client) ? CL_OUT_OF_RESOURCES : status;
	status = client_event_status(e->context->client, e->handle);
	if (status > CL_COMPLETE && client_context_is_lost(e->context->client)) {
		/* The host may have published between the two looks. */
		status = client_event_status(e->context->client, e->handle);
		if (status > CL_COMPLETE)
			return CL_OUT_OF_RESOURCES;
	}
	return status;
}

cl_int event_wait(cl_event e)
{
	int32_t status;

	/* Also when it is complete: the wait writes out what its kernel printed. */
	if (e->handle)
		client_event_wait(e->context->client, e->handle, CL_COMPLETE, &status);
	return event_status(e);
}

void context_commands_init(cl_context ctx)
{
	base_list_init(&ctx->shadows);
	base_list_init(&ctx->zombies);
	ctx->callbacks = NULL;
	ctx->copies = NULL;
}

void context_zombies_finish(cl_context ctx)
{
	cl_event e, tmp;

	base_list_for_each_safe(e, tmp, &ctx->zombies, zombie_node) {
		base_list_remove(&e->zombie_node);
		zombie_free(e);
	}
}
