/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "opencl/image.h"

/* The mapping that gave out ptr, off the buffer's list; NULL when there is none. */
static struct mapping *take_mapping(cl_mem mem, const void *ptr)
{
	struct mapping *m, *found = NULL;

	pthread_mutex_lock(&mem->lock);
	base_list_for_each(m, &mem->maps, node) {
		if (m->ptr != ptr)
			continue;
		base_list_remove(&m->node);
		mem->map_count--;
		found = m;
		break;
	}
	pthread_mutex_unlock(&mem->lock);
	return found;
}

static void put_mapping_back(cl_mem mem, struct mapping *m)
{
	pthread_mutex_lock(&mem->lock);
	base_list_append(&mem->maps, &m->node);
	mem->map_count++;
	pthread_mutex_unlock(&mem->lock);
}

static cl_int unmap_in_place(struct command *c, cl_mem mem, const struct mapping *m)
{
	if (c->ret_event)
		c->queued_ns = client_clock_ns(c->queue->context->client);
	if (command_is_ready(c))
		return command_complete(c);
	return host_unmap(c, mem, m->handle);
}

static cl_int unmap(struct command *c, cl_mem mem, const struct mapping *m)
{
	struct transfer t = {
		.buffer = mem->bytes + m->offset,
		.host = m->ptr,
		.region = { m->size, 1, 1 },
		.ends_hold = true,
	};

	if (mem->image && mem->image->is_own)
		return image_unmap(c, mem, m);
	if (mem_is_shadow(mem) && mapping_is_for_writing(m))
		return transfer_enqueue(c, mem, m->offset, &t, false);
	if (c->queue->context->coherent || mem->host_ptr)
		return unmap_in_place(c, mem, m);
	return host_unmap(c, mem, m->handle);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem memobj, void *mapped_ptr,
							cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	struct mapping *m;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = mem_check_any(memobj, queue);
	if (code)
		return code;
	code = command_init(&c, queue, CL_COMMAND_UNMAP_MEM_OBJECT, nr_waits, waits, event);
	if (code)
		return code;
	if (memobj->flags & CL_MEM_HOST_NO_ACCESS)
		return command_finish(&c, CL_INVALID_OPERATION);
	if (memobj->parent)
		memobj = memobj->parent; /* which was mapped in its place */
	m = take_mapping(memobj, mapped_ptr);
	if (!m)
		return command_finish(&c, CL_INVALID_VALUE);
	code = command_finish(&c, unmap(&c, memobj, m));
	if (code) {
		put_mapping_back(memobj, m);
		return code;
	}
	client_handle_free(queue->context->client, CLIENT_MAP, m->handle);
	free(m);
	return CL_SUCCESS;
}
