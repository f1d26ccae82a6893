/* SPDX-License-Identifier: MIT */
/* Bytes between the program's memory and buffers: who copies them, and when. */
#include <stdlib.h>
#include <string.h>

#include "opencl/command_buffer.h"
#include "opencl/commands.h"

/* Up to here a non-blocking copy is done at once when nothing comes before it: about what handing it over costs. */
#define AT_ONCE_MAX (256u << 10)
/* Up to here a non-blocking write is copied to staging memory, so that the host can do it without the program. */
#define STAGED_MAX (1u << 20)

size_t transfer_size(const struct transfer *t)
{
	return t->region[0] * t->region[1] * t->region[2];
}

static bool is_linear(const struct transfer *t)
{
	return t->region[1] == 1 && t->region[2] == 1;
}

/* Bytes from the box's first to its last in the buffer. */
static size_t buffer_span(const struct transfer *t)
{
	return (t->region[2] - 1) * t->buffer_slice + (t->region[1] - 1) * t->buffer_row + t->region[0];
}

void transfer_copy(const struct transfer *t)
{
	for (size_t z = 0; z < t->region[2]; z++) {
		for (size_t y = 0; y < t->region[1]; y++) {
			uint8_t *buffer = t->buffer + z * t->buffer_slice + y * t->buffer_row;
			uint8_t *host = t->host + z * t->host_slice + y * t->host_row;

			if (t->to_host)
				memmove(host, buffer, t->region[0]);
			else
				memmove(buffer, host, t->region[0]);
		}
	}
}

/* The program's bytes are where nobody overwrites them. */
static void end_hold(cl_mem mem, const struct transfer *t)
{
	if (t->ends_hold)
		shadow_let_go(mem);
}

/* A copy that waits for its turn in the queue. */
struct copy_item {
	struct worker_item item;
	struct transfer transfer;
	cl_mem mem; /* counted */
};

static void run_copy(struct worker_item *item, cl_int status)
{
	struct copy_item *copy = base_container_of(item, struct copy_item, item);

	if (status >= CL_COMPLETE) {
		uint64_t start_ns = client_clock_ns(item->event->context->client);

		transfer_copy(&copy->transfer);
		client_command_end(item->event, CL_COMPLETE, start_ns);
	}
	end_hold(copy->mem, &copy->transfer);
	clReleaseMemObject(copy->mem);
	free(copy->transfer.owned);
	free(copy);
}

/* Writes the CLIENT record and hands the copy to the context's thread. */
static cl_int copy_later(struct command *c, cl_mem mem, const struct transfer *t)
{
	cl_context ctx = c->queue->context;
	struct copy_item *copy = calloc(1, sizeof(*copy));
	cl_int code;

	if (!copy)
		return CL_OUT_OF_HOST_MEMORY;
	copy->item.run = run_copy;
	copy->transfer = *t;
	copy->mem = mem;
	head_ref(&mem->head);
	code = client_command_enqueue(c, &ctx->copies, "tranche-copy", &copy->item);
	if (code) {
		clReleaseMemObject(mem);
		free(copy);
	}
	return code;
}

/* Copies to staging memory now, and lets the host write it in its turn. CL_OUT_OF_RESOURCES: no staging memory. */
static cl_int write_staged(struct command *c, cl_mem mem, size_t offset, const struct transfer *t)
{
	struct client_context *client = c->queue->context->client;
	struct client_mem staging;
	struct trnc_cmd_write *rec;
	cl_int code;

	if (client_staging_alloc(client, t->region[0], &staging, NULL))
		return CL_OUT_OF_RESOURCES;
	memcpy(staging.ptr, t->host, t->region[0]);
	code = buffer_announce(mem);
	if (!code)
		code = command_need_event(c);
	if (!code)
		code = command_begin(c, TRNC_REC_WRITE, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code) {
		client_staging_free(client, &staging);
		return code;
	}
	c->event->staging = staging;
	rec->buffer = mem->handle;
	rec->offset = offset;
	rec->size = t->region[0];
	rec->source = staging.offset;
	command_end(c);
	end_hold(mem, t);
	free(t->owned);
	return CL_SUCCESS;
}

cl_int host_map(struct command *c, cl_mem mem, size_t offset, size_t size, cl_map_flags flags, uint64_t map)
{
	struct trnc_cmd_map *rec;
	cl_int code = buffer_announce(mem);

	if (!code)
		code = command_begin(c, TRNC_REC_MAP, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return code;
	rec->buffer = mem->handle;
	rec->offset = offset;
	rec->size = size;
	rec->flags = flags;
	rec->map = map;
	command_end(c);
	return CL_SUCCESS;
}

cl_int host_unmap(struct command *c, cl_mem mem, uint64_t map)
{
	struct trnc_cmd_map *rec;
	cl_int code = buffer_announce(mem); /* mapped in place by this process until now */

	if (!code)
		code = command_begin(c, TRNC_REC_UNMAP, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return code;
	rec->buffer = mem->handle;
	rec->map = map;
	command_end(c);
	return CL_SUCCESS;
}

/* One of the commands that make up a transfer, behind c's wait list; *ret_event is counted for the caller. */
static struct command step_of(const struct command *c, cl_event *ret_event)
{
	struct command step = { .queue = c->queue, .type = c->type, .waits = c->waits, .ret_event = ret_event };

	return step; /* borrows the wait list: never finished, but see step_drop() */
}

/* A step whose record was not written. */
static void step_drop(struct command *step)
{
	if (step->event)
		event_free(step->event);
}

/* The rest of c waits for this event alone. */
static void wait_only_for(struct command *c, cl_event event)
{
	wait_list_finish(&c->waits);
	c->waits.inline_handles[0] = event->handle;
	c->waits.nr = 1;
}

/* *ret_copied: NULL, or counted: the rest of c waits for it. */
static cl_int copy_between(struct command *c, cl_mem mem, const struct transfer *t, bool blocking, cl_event mapped,
			   cl_event *ret_copied)
{
	struct command step;
	cl_int code;

	*ret_copied = NULL;
	wait_only_for(c, mapped);
	if (blocking) {
		if (event_wait(mapped) < 0)
			return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
		transfer_copy(t);
		return CL_SUCCESS;
	}
	step = step_of(c, ret_copied);
	code = copy_later(&step, mem, t);
	if (code)
		step_drop(&step);
	else
		wait_only_for(c, *ret_copied);
	return code;
}

static cl_int unmap_and_wait(struct command *c, cl_mem mem, uint64_t map)
{
	cl_int code = command_need_event(c);
	cl_event event = c->event;

	if (code)
		return code;
	head_ref(&event->head);
	code = host_unmap(c, mem, map);
	if (!code && event_wait(event) < 0)
		code = CL_OUT_OF_RESOURCES;
	clReleaseEvent(event);
	return code;
}

/*
 * On a host that does not use buffers in place: MAP, the copy, UNMAP.  The last one is c itself, so its event tells of
 * the whole.
 */
static cl_int transfer_mapped(struct command *c, cl_mem mem, size_t offset, const struct transfer *t, bool blocking)
{
	cl_context ctx = c->queue->context;
	/* A blocking command's event is complete when the call returns; and later commands of an out-of-order queue would
	 * not wait until the host has taken the bytes over. */
	bool must_wait = blocking && (c->ret_event || (!t->to_host && !c->queue->in_order));
	cl_map_flags flags = t->to_host ? CL_MAP_READ : CL_MAP_READ | CL_MAP_WRITE;
	uint64_t map = client_handle_new(ctx->client, CLIENT_MAP);
	cl_event mapped, copied;
	struct command step = step_of(c, &mapped);
	cl_int code;

	if (!map)
		return CL_OUT_OF_HOST_MEMORY;
	if (!t->to_host && is_linear(t))
		flags = CL_MAP_WRITE_INVALIDATE_REGION;
	code = host_map(&step, mem, offset, buffer_span(t), flags, map);
	if (code) {
		step_drop(&step);
		goto out;
	}
	code = copy_between(c, mem, t, blocking, mapped, &copied);
	if (!code)
		code = must_wait ? unmap_and_wait(c, mem, map) : host_unmap(c, mem, map);
	/* Only now: the host refuses to wait for an event whose slot has a new owner. */
	if (copied)
		clReleaseEvent(copied);
	clReleaseEvent(mapped);
out:
	client_handle_free(ctx->client, CLIENT_MAP, map);
	return code;
}

/* Not blocking, and something comes first or it would take long: somebody else copies. */
static cl_int enqueue_later(struct command *c, cl_mem mem, size_t offset, const struct transfer *t)
{
	cl_int code = CL_OUT_OF_RESOURCES;

	if (!t->to_host && is_linear(t) && transfer_size(t) <= STAGED_MAX)
		code = write_staged(c, mem, offset, t);
	return code == CL_OUT_OF_RESOURCES ? copy_later(c, mem, t) : code;
}

static cl_int enqueue_coherent(struct command *c, cl_mem mem, size_t offset, const struct transfer *t, bool blocking)
{
	cl_int code;

	if (c->ret_event)
		c->queued_ns = client_clock_ns(c->queue->context->client);
	if (!blocking && (transfer_size(t) > AT_ONCE_MAX || !command_is_ready(c)))
		return enqueue_later(c, mem, offset, t);
	/* Not when it is ready: what another thread enqueued meanwhile would be waited for, too. */
	code = blocking ? command_wait_ready(c) : CL_SUCCESS;
	if (code)
		return code;
	transfer_copy(t);
	end_hold(mem, t);
	code = command_complete(c);
	if (!code)
		free(t->owned);
	return code;
}

cl_int transfer_enqueue(struct command *c, cl_mem mem, size_t offset, const struct transfer *t, bool blocking)
{
	bool is_ours = c->queue->context->coherent || !transfer_size(t); /* no bytes: no map of them either */
	cl_int code;

	if (c->queue->recording)
		return recording_check(c->queue->recording);
	code = is_ours ? enqueue_coherent(c, mem, offset, t, blocking) : transfer_mapped(c, mem, offset, t, blocking);
	/* Afterwards: a shadow_sync() before the command was there would take the mark away for nothing. */
	if (!code && !t->to_host)
		shadow_mark(mem, c->queue);
	return code;
}
