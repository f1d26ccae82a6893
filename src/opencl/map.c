/* SPDX-License-Identifier: MIT */
/* What mapping a buffer and mapping an image have in common. */
#include <stdlib.h>

#include "opencl/commands.h"
#include "opencl/map.h"

static cl_int check_flags(cl_mem mem, cl_map_flags flags)
{
	if (flags & CL_MAP_READ && mem->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	if (flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION) &&
	    mem->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	return CL_SUCCESS;
}

/* The program's own memory is what it maps: its bytes are copied there in the map's turn. */
static cl_int map_shadow(struct command *c, cl_mem buffer, const struct mapping *m, bool blocking)
{
	struct transfer t = {
		.buffer = buffer->bytes + m->offset,
		.host = m->ptr,
		.region = { m->size, 1, 1 },
		.to_host = true,
	};

	return transfer_enqueue(c, buffer, m->offset, &t, blocking);
}

/* The program may give what it likes, as to PoCL; a record says one or the other. */
static cl_map_flags host_flags(cl_map_flags flags)
{
	return flags & (CL_MAP_READ | CL_MAP_WRITE) ? flags & (CL_MAP_READ | CL_MAP_WRITE) :
						      flags & CL_MAP_WRITE_INVALIDATE_REGION;
}

/* A record that holds the map's place in the queue; on a host with memory of its own it also brings the bytes. */
static cl_int map_by_host(struct command *c, cl_mem buffer, const struct mapping *m, bool blocking)
{
	cl_event event = NULL;
	cl_int code;

	if (blocking) {
		code = command_need_event(c);
		if (code)
			return code;
		event = c->event;
		head_ref(&event->head);
	}
	code = host_map(c, buffer, m->offset, m->size, host_flags(m->flags), m->handle);
	if (!event)
		return code;
	if (!code && event_wait(event) < 0)
		code = CL_MAP_FAILURE;
	clReleaseEvent(event);
	return code;
}

static cl_int map_in_place(struct command *c, cl_mem buffer, const struct mapping *m, bool blocking)
{
	cl_int code;

	if (c->ret_event)
		c->queued_ns = client_clock_ns(c->queue->context->client);
	if (!blocking && !command_is_ready(c))
		return map_by_host(c, buffer, m, false);
	/* Not when it is ready: what another thread enqueued meanwhile would be waited for, too. */
	code = blocking ? command_wait_ready(c) : CL_SUCCESS;
	return code ? code : command_complete(c);
}

/* An image that the host has elsewhere: its box comes first. */
static cl_int map_own(struct command *c, cl_mem image, const struct mapping *m, bool blocking)
{
	cl_event fetched = NULL;
	cl_int code = CL_SUCCESS;

	if (image->host_ptr || !(m->flags & CL_MAP_WRITE_INVALIDATE_REGION))
		code = image_fetch_first(c, image, &m->region, &fetched);
	if (!code)
		code = image->host_ptr ? image_show(c, image, &m->region, true, blocking) :
					 map_by_host(c, image, m, blocking);
	if (fetched)
		clReleaseEvent(fetched);
	return code;
}

static struct mapping *mapping_create(const struct map_request *q)
{
	struct mapping *m = calloc(1, sizeof(*m));
	cl_mem buffer = q->mem;

	if (!m)
		return NULL;
	m->handle = client_handle_new(buffer->context->client, CLIENT_MAP);
	if (!m->handle) {
		free(m);
		return NULL;
	}
	m->ptr = (buffer->host_ptr ? (uint8_t *)buffer->host_ptr : buffer->bytes) + q->offset;
	m->offset = q->offset;
	m->size = q->size;
	m->flags = q->flags;
	if (q->box)
		m->region = q->box->pixels;
	return m;
}

static cl_int map(struct command *c, const struct map_request *q, const struct mapping *m)
{
	cl_mem mem = q->mem;

	if (mem->image && mem->image->is_own)
		return map_own(c, mem, m, q->blocking);
	if (mem_is_shadow(mem) && !(q->flags & CL_MAP_WRITE_INVALIDATE_REGION))
		return map_shadow(c, mem, m, q->blocking);
	if (c->queue->context->coherent || mem->host_ptr)
		return map_in_place(c, mem, m, q->blocking);
	return map_by_host(c, mem, m, q->blocking);
}

void *map_command(struct command *c, const struct map_request *q, cl_int *errcode_ret)
{
	struct mapping *m = mapping_create(q);
	cl_mem mem = q->mem;
	cl_int code;
	void *ptr;

	if (!m)
		return fail_with(errcode_ret, command_finish(c, CL_OUT_OF_HOST_MEMORY));
	client_mem_show(&(mem->parent ? mem->parent : mem)->mem);
	/* Before the program has the pointer. */
	if (mapping_is_for_writing(m))
		shadow_hold(mem);
	code = command_finish(c, map(c, q, m));
	if (code) {
		if (mapping_is_for_writing(m))
			shadow_let_go(mem);
		client_handle_free(mem->context->client, CLIENT_MAP, m->handle);
		free(m);
		return fail_with(errcode_ret, code);
	}

	ptr = m->ptr;
	pthread_mutex_lock(&mem->lock);
	base_list_append(&mem->maps, &m->node);
	mem->map_count++;
	pthread_mutex_unlock(&mem->lock);
	fail_with(errcode_ret, CL_SUCCESS);
	return ptr;
}

void *map_enqueue(cl_command_queue queue, const struct map_request *q, cl_uint nr_waits, const cl_event *waits,
		  cl_event *event, cl_int *errcode_ret)
{
	cl_int code = check_flags(q->mem, q->flags);
	struct map_request whole = *q;
	struct command c;

	if (!code)
		code = command_init(&c, queue, q->type, nr_waits, waits, event);
	if (code)
		return fail_with(errcode_ret, code);
	/* A part of a buffer is mapped, and unmapped, as the buffer's. */
	if (q->mem->parent) {
		whole.mem = q->mem->parent;
		whole.offset += q->mem->origin;
	}
	return map_command(&c, &whole, errcode_ret);
}
