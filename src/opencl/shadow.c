/* SPDX-License-Identifier: MIT */
/*
 * Buffers over the program's own memory (CL_MEM_USE_HOST_PTR).  That memory is private to the program, so the buffer's
 * bytes live in the window, and are copied in when the buffer is made and when a map for writing ends, out when the
 * program maps, and out when it has waited for commands that may have written them: programs read such memory without a
 * map after clFinish(), which works with every driver that uses it in place.
 */
#include <string.h>

#include "opencl/commands.h"

static cl_mem root_of(cl_mem mem)
{
	return mem->parent ? mem->parent : mem;
}

bool mem_is_shadow(cl_mem mem)
{
	return root_of(mem)->is_shadow;
}

void shadow_copy_out(cl_mem mem, size_t offset, size_t size)
{
	memcpy((uint8_t *)mem->host_ptr + offset, mem->bytes + offset, size);
}

void shadow_copy_in(cl_mem mem, size_t offset, size_t size)
{
	memcpy(mem->bytes + offset, (const uint8_t *)mem->host_ptr + offset, size);
}

void shadow_mark(cl_mem mem, cl_command_queue queue)
{
	cl_mem root = root_of(mem);
	cl_context ctx = root->context;

	if (!root->is_shadow || mem->flags & CL_MEM_READ_ONLY)
		return;
	pthread_mutex_lock(&ctx->lock);
	if (!root->is_dirty) {
		root->dirty_queue = queue;
		head_ref(&queue->head);
		root->is_dirty = true;
	} else if (root->dirty_queue && root->dirty_queue != queue) {
		/* Two queues write it: from now on no single queue's end tells that it is clean. */
		cl_command_queue old = root->dirty_queue;

		root->dirty_queue = NULL;
		pthread_mutex_unlock(&ctx->lock);
		clReleaseCommandQueue(old);
		return;
	}
	pthread_mutex_unlock(&ctx->lock);
}

void shadow_mark_args(cl_kernel kernel, cl_command_queue queue)
{
	for (uint32_t i = 0; i < kernel->info->nr_args; i++) {
		const struct kernel_arg *arg = &kernel->args[i];
		const struct arg_info *info = &kernel->info->args[i];

		if ((arg->kind != TRNC_ARG_BUFFER && arg->kind != TRNC_ARG_IMAGE) || !arg->handle || !IS_MEM(arg->mem))
			continue;
		if (info->has_info && info->access == CL_KERNEL_ARG_ACCESS_READ_ONLY)
			continue;
		if (info->has_info && info->address == CL_KERNEL_ARG_ADDRESS_CONSTANT)
			continue;
		if (info->has_info && info->qualifier & CL_KERNEL_ARG_TYPE_CONST)
			continue;
		shadow_mark(arg->mem, queue);
	}
}

void shadow_hold(cl_mem mem)
{
	cl_mem root = root_of(mem);

	if (!root->is_shadow)
		return;
	/* The lock also ends a shadow_sync() that is at work: it must not overwrite what the program writes next. */
	pthread_mutex_lock(&root->context->lock);
	root->nr_holds++;
	pthread_mutex_unlock(&root->context->lock);
}

void shadow_let_go(cl_mem mem)
{
	cl_mem root = root_of(mem);

	if (!root->is_shadow)
		return;
	pthread_mutex_lock(&root->context->lock);
	if (root->nr_holds) /* 0: an unmap that was half done when the context was lost, done again */
		root->nr_holds--;
	pthread_mutex_unlock(&root->context->lock);
}

#define RELEASE_BATCH 16 /* queues; what does not fit stays dirty until the next time */

void shadow_sync(cl_context ctx)
{
	cl_command_queue released[RELEASE_BATCH];
	unsigned int nr_released = 0;
	cl_mem mem;

	if (base_list_is_empty(&ctx->shadows))
		return;
	pthread_mutex_lock(&ctx->lock);
	base_list_for_each(mem, &ctx->shadows, shadow_node) {
		cl_command_queue q = mem->dirty_queue;
		bool is_idle;

		/* While it is mapped for writing, the program's memory is the newer one. */
		if (!mem->is_dirty || mem->nr_holds)
			continue;
		is_idle = q && client_queue_is_done(ctx->client, &q->client, atomic_load(&q->client.issued));
		shadow_copy_out(mem, 0, mem->size);
		if (is_idle && nr_released < RELEASE_BATCH) {
			mem->is_dirty = false;
			mem->dirty_queue = NULL;
			released[nr_released++] = q;
		}
	}
	pthread_mutex_unlock(&ctx->lock);
	while (nr_released) /* takes the lock */
		clReleaseCommandQueue(released[--nr_released]);
}
