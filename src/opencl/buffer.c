/* SPDX-License-Identifier: MIT */
/* The making and ending of buffers, for the calls that do it. */
#include <stdlib.h>
#include <string.h>

#include "base/futex.h"
#include "opencl/buffer.h"
#include "opencl/commands.h"
#include "opencl/image.h"
#include "opencl/svm.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
#define HOST_FLAGS (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)

/* The host's driver takes the ten lowest, of which one has no meaning. */
#define HOST_DRIVERS_FLAGS ((cl_mem_flags)0x3ff)

static bool at_most_one(cl_mem_flags flags)
{
	return (flags & (flags - 1)) == 0;
}

cl_int buffer_check_flags(cl_mem_flags flags, cl_mem_flags allowed)
{
	if (flags & ~allowed)
		return CL_INVALID_VALUE;
	if (!at_most_one(flags & ACCESS_FLAGS) || !at_most_one(flags & HOST_FLAGS))
		return CL_INVALID_VALUE;
	if (flags & CL_MEM_USE_HOST_PTR && flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

cl_mem buffer_alloc(cl_context ctx, cl_mem_flags flags, size_t size)
{
	cl_mem mem = calloc(1, sizeof(*mem));

	if (!mem)
		return NULL;
	head_init(&mem->head, KIND_MEM);
	mem->context = ctx;
	mem->type = CL_MEM_OBJECT_BUFFER;
	mem->flags = flags;
	mem->size = size;
	pthread_mutex_init(&mem->lock, NULL);
	base_list_init(&mem->maps);
	base_list_init(&mem->shadow_node);
	head_ref(&ctx->head);
	return mem;
}

void buffer_free(cl_mem mem)
{
	struct mapping *m, *tmp;

	base_list_for_each_safe(m, tmp, &mem->maps, node) {
		if (mapping_is_for_writing(m))
			shadow_let_go(mem);
		client_handle_free(mem->context->client, CLIENT_MAP, m->handle);
		free(m);
	}
	pthread_mutex_destroy(&mem->lock);
	free(mem->properties);
	clReleaseContext(mem->context);
	free(mem);
}

static cl_int copy_properties(cl_mem mem, const cl_mem_properties *properties)
{
	if (!properties)
		return CL_SUCCESS;
	mem->properties = calloc(1, sizeof(*properties));
	mem->nr_properties = 1;
	return mem->properties ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

/* The handle is the object's once its record is out: whoever sees it may name it in another one. */
static cl_int announce_locked(cl_mem mem)
{
	struct client_context *client = mem->context->client;
	uint64_t handle = client_handle_new(client, CLIENT_BUFFER);
	struct trnc_rec_buffer_create *rec;

	if (!handle)
		return client_context_is_lost(client) ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
	if (client_rec_begin(client, TRNC_REC_BUFFER_CREATE, sizeof(*rec), (void **)&rec)) {
		client_handle_free(client, CLIENT_BUFFER, handle);
		return CL_SUCCESS;
	}
	rec->buffer = handle;
	rec->flags = mem->flags & ACCESS_FLAGS;
	rec->offset = mem->mem.offset;
	rec->size = mem->size;
	client_rec_end(client);
	atomic_store_explicit(&mem->handle, handle, memory_order_release);
	return CL_SUCCESS;
}

cl_int buffer_announce_now(cl_mem mem)
{
	cl_int code = CL_SUCCESS;

	pthread_mutex_lock(&mem->lock);
	if (!mem->handle)
		code = announce_locked(mem);
	pthread_mutex_unlock(&mem->lock);
	return code;
}

/* In the host driver's order. */
static cl_int check_create(cl_context ctx, cl_mem_flags flags, size_t size, const void *host_ptr)
{
	cl_int code;

	if (!IS_CONTEXT(ctx))
		return CL_INVALID_CONTEXT;
	if (!size)
		return CL_INVALID_BUFFER_SIZE;
	if (flags & CL_MEM_USE_HOST_PTR && host_ptr) {
		size_t shared = svm_size(ctx, host_ptr);

		if (shared && size > shared)
			return CL_INVALID_BUFFER_SIZE;
	}
	code = buffer_check_flags(flags, HOST_DRIVERS_FLAGS);
	if (code)
		return code;
	if (!host_ptr != !(flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
		return CL_INVALID_HOST_PTR;
	if (size > ctx->device->limits.max_alloc)
		return CL_INVALID_BUFFER_SIZE;
	return CL_SUCCESS;
}

/* The bytes: those of the program's shared memory, or of the buffer's own. */
static cl_int take_memory(cl_mem mem, void *host_ptr)
{
	cl_context ctx = mem->context;
	struct trn_error err = { 0 };
	cl_int code;

	if (mem->flags & CL_MEM_USE_HOST_PTR)
		mem->svm = svm_piece_get(ctx, host_ptr, mem->size);
	if (mem->svm && client_context_is_lost(ctx->client)) {
		svm_piece_put(ctx, mem->svm);
		mem->svm = NULL;
		return CL_OUT_OF_RESOURCES;
	}
	if (mem->svm) {
		mem->mem.offset = svm_piece_offset(mem->svm, host_ptr);
		mem->bytes = mem->host_ptr = host_ptr;
		return CL_SUCCESS;
	}
	code = cl_error_from(client_mem_alloc(ctx->client, mem->size, &mem->mem, &err));
	if (code) {
		context_notify(ctx, err.text);
		return code;
	}
	mem->bytes = mem->mem.ptr;
	if (host_ptr)
		memcpy(mem->bytes, host_ptr, mem->size);
	return CL_SUCCESS;
}

static void add_shadow(cl_mem mem, void *host_ptr)
{
	mem->host_ptr = host_ptr;
	mem->is_shadow = true;
	pthread_mutex_lock(&mem->context->lock);
	base_list_append(&mem->context->shadows, &mem->shadow_node);
	pthread_mutex_unlock(&mem->context->lock);
}

cl_mem buffer_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags, size_t size,
		     void *host_ptr, cl_int *errcode_ret)
{
	/* None is known for buffers, and they are what is looked at first. */
	cl_int code = IS_CONTEXT(ctx) && properties && properties[0] ? CL_INVALID_PROPERTY :
								       check_create(ctx, flags, size, host_ptr);
	cl_mem mem;

	if (code)
		return fail_with(errcode_ret, code);
	if (!flags)
		flags = CL_MEM_READ_WRITE; /* and so it says when asked */
	mem = buffer_alloc(ctx, flags, size);
	if (!mem)
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	code = copy_properties(mem, properties);
	if (code)
		goto fail_object;
	code = take_memory(mem, host_ptr);
	if (code)
		goto fail_object;
	if (flags & CL_MEM_USE_HOST_PTR && !mem->svm)
		add_shadow(mem, host_ptr);
	fail_with(errcode_ret, CL_SUCCESS);
	return mem;

fail_object:
	buffer_free(mem);
	return fail_with(errcode_ret, code);
}

static void run_destructors(cl_mem mem)
{
	struct mem_callback *next;

	for (struct mem_callback *cb = mem->destructors; cb; cb = next) {
		next = cb->next;
		cb->fn(mem, cb->data);
		free(cb);
	}
}

static void leave_shadows(cl_mem mem)
{
	cl_context ctx = mem->context;
	cl_command_queue dirty_queue;

	if (!mem->is_shadow)
		return;
	pthread_mutex_lock(&ctx->lock);
	base_list_remove(&mem->shadow_node);
	dirty_queue = mem->dirty_queue;
	pthread_mutex_unlock(&ctx->lock);
	if (dirty_queue)
		clReleaseCommandQueue(dirty_queue);
}

/* The object, when its record is written and its memory is somebody else's or given back. */
static void drop(cl_mem mem)
{
	cl_context ctx = mem->context;
	cl_mem parent = mem->parent;

	if (mem->svm)
		svm_piece_put(ctx, mem->svm);
	buffer_free(mem);
	if (parent)
		clReleaseMemObject(parent);
}

static bool has_own_memory(cl_mem mem)
{
	return !mem->parent && !mem->svm;
}

/* ------------------------------------------- destructors after the commands */

/* When nothing uses it the callbacks come within the call: the host says so soon, unless the machine is busy. */
#define QUIET_WAIT_NS 1000000000
#define SHORT_WAIT_NS 1000000 /* other commands are under way: it may be used, or not */

struct dying {
	struct worker_item item;
	cl_mem mem;
};

/* The host has let go of it, or is gone. */
static void run_dying(struct worker_item *item, cl_int status)
{
	struct dying *d = base_container_of(item, struct dying, item);
	struct client_context *client = d->mem->context->client;
	cl_mem mem = d->mem;

	/* The program gives its own memory away in the callback: what commands wrote must be there. */
	if (mem->is_shadow && mem->is_dirty && status == CL_COMPLETE)
		shadow_copy_out(mem, 0, mem->size);
	leave_shadows(mem);
	run_destructors(mem);
	client_handle_free(client, CLIENT_BUFFER, mem->handle);
	if (has_own_memory(mem))
		client_mem_free(client, &mem->mem);
	drop(mem);
	free(d);
}

static bool write_destroy(cl_mem mem, uint64_t event)
{
	struct client_context *client = mem->context->client;
	struct trnc_rec_buffer_destroy *rec;

	if (client_rec_begin(client, TRNC_REC_BUFFER_DESTROY, sizeof(*rec), (void **)&rec))
		return false;
	rec->buffer = mem->handle;
	rec->event = event;
	client_rec_end(client);
	return true;
}

static bool is_let_go(void *data)
{
	return event_status(data) <= CL_COMPLETE;
}

/* Destructors are called when the commands that use the object are done. False: lost, or no memory for it. */
static bool destroy_later(cl_mem mem)
{
	struct dying *d = calloc(1, sizeof(*d));
	cl_context ctx = mem->context;
	cl_event event = d ? event_new(ctx, NULL, 0) : NULL;

	if (!event || !write_destroy(mem, event->handle)) {
		if (event)
			event_free(event);
		free(d);
		return false;
	}
	d->mem = mem;
	d->item.event = event;
	d->item.level = CL_COMPLETE;
	d->item.run = run_dying;
	client_wait(ctx->client, is_let_go, event,
		    (int64_t)base_clock_ns() + (client_context_is_quiet(ctx->client) ? QUIET_WAIT_NS : SHORT_WAIT_NS));
	if (is_let_go(event) || worker_add(ctx, &ctx->callbacks, "tranche-cb", &d->item)) {
		event_wait(event);
		run_dying(&d->item, event_status(event));
		clReleaseEvent(event);
	}
	return true;
}

void buffer_destroy(cl_mem mem)
{
	if (mem->image)
		image_destroy(mem);
	if (mem->destructors && mem->handle && destroy_later(mem))
		return;
	/* Only this process wrote it; its memory is the program's until the callback. */
	if (mem->destructors && mem->is_shadow && mem->is_dirty && !mem->handle)
		shadow_copy_out(mem, 0, mem->size);
	leave_shadows(mem);
	run_destructors(mem);
	if (mem->handle) /* an image of a buffer has none of its own */
		client_buffer_destroy(mem->context->client, mem->handle, has_own_memory(mem) ? &mem->mem : NULL);
	else if (has_own_memory(mem)) /* the host never heard of it */
		client_mem_free(mem->context->client, &mem->mem);
	drop(mem);
}
