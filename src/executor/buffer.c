/* SPDX-License-Identifier: MIT */
#include "executor/buffer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/range.h"
#include "executor/events.h"
#include "executor/quick.h"

/* Reached by the host when the last user of the memory objects is gone, maybe long after the program let go. */
struct exec_buffer_end {
	_Atomic uint32_t users;       /* objects of the host: the buffer, and images over it */
	struct exec_context *context; /* counted in its pending */
	struct exec_segment *segment; /* one use; NULL for a sub-buffer, whose parent has it */
	struct exec_event *event;     /* NULL or one reference; under the context's lock */
};

static void CL_CALLBACK host_let_go(cl_mem mem, void *arg)
{
	struct exec_buffer_end *end = arg;
	struct exec_context *c = end->context;

	(void)mem;
	atomic_fetch_add(&c->callbacks, 1);
	if (atomic_fetch_sub(&end->users, 1) > 1) {
		atomic_fetch_sub(&c->callbacks, 1);
		return;
	}
	exec_window_put(end->segment);
	pthread_mutex_lock(&c->lock);
	if (end->event) {
		exec_event_end_locked(c, end->event, CL_COMPLETE, NULL);
		exec_event_unref(end->event);
		exec_context_signal_news(c);
	}
	exec_context_unpend_locked(c, 1);
	pthread_mutex_unlock(&c->lock);
	if (atomic_load(&c->has_ready))
		exec_context_poke(c);
	atomic_fetch_sub(&c->callbacks, 1);
	free(end);
}

static struct exec_buffer *new_buffer(struct exec_context *c, uint64_t size, uint64_t flags)
{
	struct exec_buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->end = calloc(1, sizeof(*b->end));
	if (!b->end) {
		free(b);
		return NULL;
	}
	b->end->users = 1;
	b->end->context = c;
	b->refs = 1;
	b->size = size;
	b->flags = flags;
	base_list_init(&b->maps);
	return b;
}

/* From here on the host's callback ends the buffer; without host object we end it ourselves. */
static int32_t add_buffer(struct exec_context *c, struct exec_buffer *b, uint64_t handle, cl_int cl_err)
{
	int r;

	pthread_mutex_lock(&c->lock);
	c->pending++;
	if (c->room)
		c->room--;
	pthread_mutex_unlock(&c->lock);
	if (b->host) {
		cl_err = c->ex->host.SetMemObjectDestructorCallback(b->host, host_let_go, b->end);
		if (cl_err != CL_SUCCESS) {
			c->ex->host.ReleaseMemObject(b->host);
			b->host = NULL;
		}
	}
	if (!b->host) {
		host_let_go(NULL, b->end);
		exec_buffer_unref(c, b->parent);
		free(b);
		return cl_err;
	}
	r = base_handles_add(&c->buffers, handle, b);
	if (r < 0) {
		exec_buffer_unref(c, b);
		return r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE;
	}
	return CL_SUCCESS;
}

int32_t exec_buffer_create(struct exec_context *c, const struct trnc_rec_buffer_create *r)
{
	struct exec_buffer *b = new_buffer(c, r->size, r->flags);
	cl_int cl_err;
	void *addr;

	if (!b)
		return CL_OUT_OF_HOST_MEMORY;
	b->end->segment = exec_window_get(&c->ex->window, TRNC_SEGMENT_BUFFER, r->offset, r->size, &addr);
	if (!b->end->segment) {
		free(b->end);
		free(b);
		return CL_INVALID_VALUE;
	}
	b->addr = b->bytes = addr;
	b->host = c->ex->host.CreateBuffer(c->host, r->flags | CL_MEM_USE_HOST_PTR, r->size, addr, &cl_err);
	return add_buffer(c, b, r->buffer, cl_err);
}

int32_t exec_sub_buffer_create(struct exec_context *c, const struct trnc_rec_sub_buffer_create *r)
{
	struct exec_buffer *parent = exec_buffer_get(c, r->parent), *b;
	const cl_buffer_region region = { .origin = r->origin, .size = r->size };
	cl_int cl_err;

	if (!parent || parent->parent)
		return CL_INVALID_MEM_OBJECT;
	if (!base_range_is_within(r->origin, r->size, parent->size))
		return CL_INVALID_VALUE;
	b = new_buffer(c, r->size, r->flags);
	if (!b)
		return CL_OUT_OF_HOST_MEMORY;
	b->parent = exec_buffer_ref(parent);
	b->bytes = parent->bytes + r->origin;
	b->host = c->ex->host.CreateSubBuffer(parent->host, r->flags, CL_BUFFER_CREATE_TYPE_REGION, &region, &cl_err);
	return add_buffer(c, b, r->buffer, cl_err);
}

int32_t exec_buffer_new_over(struct exec_context *c, struct exec_buffer *parent, cl_mem host, uint64_t flags,
			     bool is_child, struct exec_buffer **ret)
{
	struct exec_buffer *b = calloc(1, sizeof(*b));
	int32_t err = CL_SUCCESS;

	if (!b) {
		c->ex->host.ReleaseMemObject(host);
		return CL_OUT_OF_HOST_MEMORY;
	}
	b->refs = 1;
	b->host = host;
	b->size = parent->size;
	b->flags = flags;
	b->end = parent->end;
	base_list_init(&b->maps);
	if (!is_child) {
		atomic_fetch_add(&b->end->users, 1);
		err = c->ex->host.SetMemObjectDestructorCallback(host, host_let_go, b->end);
	}
	if (err) {
		/* Not the last user: the parent is one. */
		atomic_fetch_sub(&b->end->users, 1);
		c->ex->host.ReleaseMemObject(host);
		free(b);
		return err;
	}
	b->parent = exec_buffer_ref(parent);
	*ret = b;
	return CL_SUCCESS;
}

struct exec_buffer *exec_buffer_get(struct exec_context *c, uint64_t handle)
{
	return base_handles_get(&c->buffers, handle);
}

struct exec_buffer *exec_buffer_ref(struct exec_buffer *b)
{
	b->refs++;
	return b;
}

/* A program may let go of what it still has mapped: the host keeps such an object till it is unmapped, so we do that. */
static void end_maps(struct exec_context *c, struct exec_buffer *b)
{
	struct exec_host *h = &c->ex->host;
	struct exec_map *m, *tmp;
	cl_command_queue queue;
	cl_int err;

	if (base_list_is_empty(&b->maps))
		return;
	queue = exec_host_create_queue(h, c->host, 0, &err);
	base_list_for_each_safe(m, tmp, &b->maps, link) {
		if (queue)
			h->EnqueueUnmapMemObject(queue, b->host, m->addr, 1, &m->mapped, NULL);
		h->ReleaseEvent(m->mapped);
		free(m);
	}
	if (!queue)
		return;
	h->Flush(queue);
	h->ReleaseCommandQueue(queue);
}

struct exec_buffer *exec_buffer_unref(struct exec_context *c, struct exec_buffer *b)
{
	while (b && --b->refs == 0) {
		struct exec_buffer *parent = b->parent;

		end_maps(c, b);
		if (b->quick)
			c->ex->host.ReleaseMemObject(b->quick);
		c->ex->host.ReleaseMemObject(b->host);
		free(b->layout);
		free(b);
		b = parent;
	}
	return NULL;
}

int32_t exec_buffer_destroy(struct exec_context *c, const struct trnc_rec_buffer_destroy *r)
{
	struct exec_buffer *b = base_handles_remove(&c->buffers, r->buffer);
	int32_t err = CL_SUCCESS;

	if (!b)
		return CL_INVALID_MEM_OBJECT;
	c->buffers_gone++;
	if (r->event) {
		struct exec_event *e;

		pthread_mutex_lock(&c->lock);
		e = exec_event_new_locked(c, r->event, CL_SUBMITTED, &err);
		if (e)
			b->end->event = exec_event_ref(e);
		pthread_mutex_unlock(&c->lock);
	}
	exec_buffer_unref(c, b);
	return err;
}

void exec_buffers_release_all(struct exec_context *c)
{
	struct exec_buffer *b;
	uint32_t pos = 0;

	while ((b = base_handles_next(&c->buffers, &pos)))
		exec_buffer_unref(c, b);
	base_handles_finish(&c->buffers);
}

cl_mem exec_buffer_quick(struct exec_context *c, struct exec_buffer *b)
{
	const cl_mem_flags access = CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY;
	cl_int err;

	if (!b->quick && b->bytes)
		b->quick = c->ex->host.CreateBuffer(exec_quick_context(c), (b->flags & access) | CL_MEM_USE_HOST_PTR,
						    b->size, b->bytes, &err);
	return b->quick;
}

int32_t exec_buffer_add_map(struct exec_context *c, struct exec_buffer *b, uint64_t id, void *addr, cl_event mapped)
{
	struct exec_map *m = malloc(sizeof(*m));

	if (!m)
		return CL_OUT_OF_HOST_MEMORY;
	m->id = id;
	m->addr = addr;
	m->mapped = mapped;
	c->ex->host.RetainEvent(mapped);
	base_list_append(&b->maps, &m->link);
	return CL_SUCCESS;
}

void *exec_buffer_take_map(struct exec_context *c, struct exec_buffer *b, uint64_t id)
{
	struct exec_map *m;

	base_list_for_each(m, &b->maps, link)
		if (m->id == id) {
			void *addr = m->addr;

			base_list_remove(&m->link);
			c->ex->host.ReleaseEvent(m->mapped);
			free(m);
			return addr;
		}
	return NULL;
}
