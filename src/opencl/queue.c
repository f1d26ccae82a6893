/* SPDX-License-Identifier: MIT */
/*
 * Command queues.  A queue has an event slot in which the host counts its completions.  Releasing the queue does not wait:
 * the host goes on with what was enqueued and writes to the slot until that is done, so the slot is set aside
 * ("retired") and taken back by a later create or release.
 */
#include "opencl/queue.h"

#include <stdlib.h>
#include <string.h>

#include "opencl/commands.h"
#include "opencl/device.h"

struct retired {
	struct base_list node; /* in context->retired_queues */
	struct client_queue client;
};

cl_int queue_check(cl_context context, cl_device_id device)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (!IS_DEVICE(device) || device_root(device) != context->device)
		return CL_INVALID_DEVICE;
	return CL_SUCCESS;
}

static const cl_command_queue_properties on_host = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE;

cl_int queue_check_properties(cl_device_id device, cl_command_queue_properties properties)
{
	/* The bits of queues on the device mean nothing here, and PoCL lets them pass. */
	if (properties & ~(on_host | CL_QUEUE_ON_DEVICE | CL_QUEUE_ON_DEVICE_DEFAULT))
		return CL_INVALID_VALUE;
	if (properties & on_host & ~device_host_u64(device, CL_DEVICE_QUEUE_ON_HOST_PROPERTIES))
		return CL_INVALID_QUEUE_PROPERTIES;
	return CL_SUCCESS;
}

/* Takes back the slots of released queues whose last command is done. */
static void retired_reap(cl_context ctx)
{
	struct retired *r, *tmp;

	pthread_mutex_lock(&ctx->lock);
	base_list_for_each_safe(r, tmp, &ctx->retired_queues, node) {
		if (!client_queue_is_done(ctx->client, &r->client, atomic_load(&r->client.issued)))
			continue;
		client_event_free(ctx->client, r->client.event);
		base_list_remove(&r->node);
		free(r);
	}
	pthread_mutex_unlock(&ctx->lock);
}

void queues_retired_forget(cl_context ctx)
{
	struct retired *r, *tmp;

	base_list_for_each_safe(r, tmp, &ctx->retired_queues, node)
		free(r);
	base_list_init(&ctx->retired_queues);
}

static void retire(cl_context ctx, const struct client_queue *client)
{
	struct retired *r = malloc(sizeof(*r));

	/* Without memory the slot stays taken until the context ends. */
	if (!r)
		return;
	base_list_init(&r->node);
	r->client.handle = client->handle;
	r->client.event = client->event;
	r->client.properties = client->properties;
	atomic_init(&r->client.issued, atomic_load(&client->issued));
	pthread_mutex_lock(&ctx->lock);
	base_list_append(&ctx->retired_queues, &r->node);
	pthread_mutex_unlock(&ctx->lock);
}

static int record_create(cl_context ctx, const struct client_queue *client, cl_device_id device)
{
	struct trnc_rec_queue_create *rec;
	void *room;
	int r = client_rec_begin(ctx->client, TRNC_REC_QUEUE_CREATE, sizeof(*rec), &room);

	if (r < 0)
		return r;
	rec = room;
	rec->queue = client->handle;
	rec->event = client->event;
	rec->properties = client->properties & on_host;
	rec->first_unit = device->first_unit; /* of a device of the platform 0, 0: all */
	rec->nr_units = device->nr_units;
	client_rec_end(ctx->client);
	return 0;
}

static void record_destroy(cl_context ctx, uint64_t handle)
{
	struct trnc_rec_object *rec;
	void *room;

	/* A lost context has nothing left to destroy. */
	if (client_rec_begin(ctx->client, TRNC_REC_QUEUE_DESTROY, sizeof(*rec), &room) < 0)
		return;
	rec = room;
	rec->handle = handle;
	client_rec_end(ctx->client);
}

static bool keep_properties(cl_command_queue q, const cl_queue_properties *array, size_t nr)
{
	if (!array)
		return true;
	q->properties_array = malloc(nr * sizeof(*array));
	if (!q->properties_array)
		return false;
	memcpy(q->properties_array, array, nr * sizeof(*array));
	q->nr_properties = nr;
	return true;
}

cl_command_queue queue_create(cl_context context, cl_device_id device, cl_command_queue_properties properties,
			      const cl_queue_properties *array, size_t nr_array, cl_int *ret_error)
{
	struct client_context *client = context->client;
	struct trn_error err = { 0 };
	cl_command_queue q = calloc(1, sizeof(*q));
	int r;

	*ret_error = CL_OUT_OF_HOST_MEMORY;
	if (!q)
		return NULL;
	retired_reap(context);
	head_init(&q->head, KIND_QUEUE);
	q->in_order = !(properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	q->profiling = properties & CL_QUEUE_PROFILING_ENABLE;
	q->context = context;
	q->device = device;
	q->client.properties = properties;
	if (!keep_properties(q, array, nr_array))
		goto free_queue;

	*ret_error = CL_OUT_OF_RESOURCES;
	q->client.handle = client_handle_new(client, CLIENT_QUEUE);
	if (!q->client.handle)
		goto free_queue;
	q->client.event = client_event_new(client, &err);
	if (!q->client.event)
		goto free_handle;
	r = record_create(context, &q->client, device);
	if (r < 0) {
		*ret_error = cl_error_from(r);
		goto free_event;
	}
	head_ref(&context->head); /* this and the next are dropped in queue_destroy() */
	device_hold(device);
	*ret_error = CL_SUCCESS;
	return q;

free_event:
	client_event_free(client, q->client.event);
free_handle:
	client_handle_free(client, CLIENT_QUEUE, q->client.handle);
free_queue:
	if (err.text[0])
		context_notify(context, err.text);
	free(q->properties_array);
	free(q);
	return NULL;
}

void queue_destroy(cl_command_queue q)
{
	cl_context ctx = q->context;

	if (!client_context_is_forked(ctx->client))
		worker_end(q->natives);
	record_destroy(ctx, q->client.handle);
	client_handle_free(ctx->client, CLIENT_QUEUE, q->client.handle);
	retire(ctx, &q->client);
	retired_reap(ctx);
	free(q->properties_array);
	device_let_go(q->device);
	free(q);
	clReleaseContext(ctx);
}
