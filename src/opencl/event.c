/* SPDX-License-Identifier: MIT */
/* Events: their life, their status, and the slots that outlive them. */
#include <stdlib.h>

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

	if (!atomic_load_explicit(&ctx->nr_zombies, memory_order_relaxed))
		return;
	base_list_init(&done);
	pthread_mutex_lock(&ctx->lock);
	base_list_for_each_safe(e, tmp, &ctx->zombies, zombie_node) {
		if (!limit--)
			break;
		base_list_remove(&e->zombie_node);
		/* To the end with what still runs: it may wait for ever, and must not hide the others. */
		if (client_event_status(ctx->client, e->handle) > CL_COMPLETE) {
			base_list_append(&ctx->zombies, &e->zombie_node);
		} else {
			base_list_append(&done, &e->zombie_node);
			atomic_fetch_sub_explicit(&ctx->nr_zombies, 1, memory_order_relaxed);
		}
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

cl_event event_new_user(cl_context ctx)
{
	cl_event e = event_alloc(ctx, NULL, CL_COMMAND_USER);

	/* Nobody queues or submits a user event: the program holds it from the start. */
	if (e)
		atomic_init(&e->local_status, CL_SUBMITTED);
	return e;
}

static int record_set(cl_context ctx, uint64_t handle, cl_int status)
{
	struct trnc_rec_user_event_set *rec;
	int r = client_rec_begin(ctx->client, TRNC_REC_USER_EVENT_SET, sizeof(*rec), (void **)&rec);

	if (r)
		return r;
	rec->event = handle;
	rec->status = status;
	client_rec_end(ctx->client);
	return 0;
}

/* With context->lock, which orders the two records. What failed already is told, too: what waits for it must fail. */
static bool announce_locked(cl_event e, uint64_t handle)
{
	struct client_context *client = e->context->client;
	cl_int status = atomic_load(&e->local_status);
	struct trnc_rec_object *rec;

	if (client_rec_begin(client, TRNC_REC_USER_EVENT_CREATE, sizeof(*rec), (void **)&rec))
		return false;
	rec->handle = handle;
	client_rec_end(client);
	if (status <= CL_COMPLETE)
		record_set(e->context, handle, status);
	atomic_store(&e->handle, handle);
	return true;
}

cl_int event_announce(cl_event e)
{
	cl_context ctx = e->context;
	uint64_t handle;

	if (e->handle || e->type != CL_COMMAND_USER)
		return CL_SUCCESS;
	zombies_reap(ctx, REAP_BATCH);
	handle = client_event_new(ctx->client, NULL);
	if (!handle)
		return client_context_is_lost(ctx->client) ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	pthread_mutex_lock(&ctx->lock);
	if (!e->handle && announce_locked(e, handle))
		handle = 0;
	pthread_mutex_unlock(&ctx->lock);
	client_event_free(ctx->client, handle); /* another thread was first, or it is lost */
	return CL_SUCCESS;
}

cl_int event_set_user(cl_event e, cl_int status)
{
	cl_context ctx = e->context;
	cl_int expected = CL_SUBMITTED;
	uint64_t handle;
	bool is_first;

	pthread_mutex_lock(&ctx->lock);
	is_first = atomic_compare_exchange_strong(&e->local_status, &expected, status);
	handle = e->handle;
	pthread_mutex_unlock(&ctx->lock);
	if (!is_first)
		return CL_INVALID_OPERATION;
	client_wake(ctx->client); /* who waits for it here */
	if (handle)
		return cl_error_from(record_set(ctx, handle, status));
	return client_context_is_lost(ctx->client) ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

cl_event event_new_complete(cl_command_queue queue, cl_command_type type, uint64_t queued_ns, uint64_t start_ns)
{
	cl_event e = event_alloc(queue->context, queue, type);

	if (!e)
		return NULL;
	e->local_status = CL_COMPLETE;
	e->queued_ns = queued_ns;
	e->submit_ns = e->start_ns = start_ns;
	e->end_ns = client_clock_ns(queue->context->client);
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
	atomic_fetch_add_explicit(&ctx->nr_zombies, 1, memory_order_relaxed);
	pthread_mutex_unlock(&ctx->lock);
	/* A zombie belongs to its context and must not keep it alive. Another thread may have freed it by now. */
	drop_parents(ctx, queue);
}

cl_int event_status(cl_event e)
{
	cl_int status = atomic_load_explicit(&e->local_status, memory_order_acquire);

	if (status <= CL_COMPLETE)
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

static bool is_over(void *event)
{
	return event_status(event) <= CL_COMPLETE;
}

/* Only this process sets it, which wakes. */
static uint64_t get_user_target(void *event)
{
	return UINT64_MAX;
}

static struct client_queue *event_queue(const struct _cl_event *e)
{
	return e->seq && e->queue->in_order ? &e->queue->client : NULL;
}

cl_int event_wait(cl_event e)
{
	const struct client_condition user = { .done = is_over, .target = get_user_target, .data = e };
	int32_t status;

	if (e->type == CL_COMMAND_USER)
		client_wait_for(e->context->client, &user, -1);
	/* Also when it is complete: the wait writes out what its kernel printed. */
	else if (e->handle)
		client_event_wait(e->context->client, e->handle, CL_COMPLETE, event_queue(e), e->seq, &status);
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
