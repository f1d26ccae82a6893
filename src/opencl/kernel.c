/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"

#include <stdlib.h>

struct kernel_table *program_table(cl_program p)
{
	struct kernel_table *t;

	pthread_mutex_lock(&p->lock);
	t = p->status == CL_BUILD_SUCCESS && p->table ? kernel_table_ref(p->table) : NULL;
	pthread_mutex_unlock(&p->lock);
	return t;
}

static void kernel_free(cl_kernel k)
{
	for (uint32_t i = 0; k->args && i < k->info->nr_args; i++)
		free(k->args[i].value);
	free(k->args);
	kernel_table_unref(k->table);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* Everything but the record and the references on others. Consumes the reference on the table. */
static cl_kernel kernel_alloc(cl_program p, struct kernel_table *table, uint32_t index)
{
	cl_kernel k = calloc(1, sizeof(*k));

	if (!k) {
		kernel_table_unref(table);
		return NULL;
	}
	head_init(&k->head, KIND_KERNEL);
	pthread_mutex_init(&k->lock, NULL);
	k->program = p;
	k->table = table;
	k->info = &table->kernels[index];
	k->nr_unset = k->info->nr_args;
	for (uint32_t i = 0; i < k->info->nr_args; i++)
		k->has_local = k->has_local || k->info->args[i].kind == TRNC_ARG_LOCAL;
	k->args = calloc(k->info->nr_args ? k->info->nr_args : 1, sizeof(k->args[0]));
	if (k->args)
		k->handle = client_handle_new(p->context->client, CLIENT_KERNEL);
	if (k->handle)
		return k;
	kernel_free(k);
	return NULL;
}

/*
 * Counts the kernel as the program's, unless the program was built again since its table was looked at: the index would
 * be of another table.
 */
static bool join_program(cl_kernel k)
{
	cl_program p = k->program;
	bool is_current;

	pthread_mutex_lock(&p->lock);
	is_current = p->table == k->table && p->status == CL_BUILD_SUCCESS;
	if (is_current)
		p->nr_live_kernels++;
	pthread_mutex_unlock(&p->lock);
	if (is_current)
		head_ref(&p->head); /* dropped in kernel_destroy() */
	return is_current;
}

static void leave_program(cl_program p)
{
	pthread_mutex_lock(&p->lock);
	p->nr_live_kernels--;
	pthread_mutex_unlock(&p->lock);
	clReleaseProgram(p);
}

static int record_create(cl_kernel k, uint32_t index)
{
	struct trnc_rec_kernel_create *rec;
	void *room;
	int r = client_rec_begin(k->program->context->client, TRNC_REC_KERNEL_CREATE, sizeof(*rec), &room);

	if (r < 0)
		return r;
	rec = room;
	rec->kernel = k->handle;
	rec->program = k->program->handle;
	rec->index = index;
	client_rec_end(k->program->context->client);
	return 0;
}

static int record_clone(cl_kernel k, uint64_t source)
{
	struct trnc_rec_kernel_clone *rec;
	void *room;
	int r = client_rec_begin(k->program->context->client, TRNC_REC_KERNEL_CLONE, sizeof(*rec), &room);

	if (r < 0)
		return r;
	rec = room;
	rec->kernel = k->handle;
	rec->source = source;
	client_rec_end(k->program->context->client);
	return 0;
}

static void record_destroy(cl_kernel k)
{
	struct trnc_rec_object *rec;
	void *room;

	if (client_rec_begin(k->program->context->client, TRNC_REC_KERNEL_DESTROY, sizeof(*rec), &room) < 0)
		return; /* lost: nothing is left to destroy */
	rec = room;
	rec->handle = k->handle;
	client_rec_end(k->program->context->client);
}

static void discard(cl_kernel k)
{
	client_handle_free(k->program->context->client, CLIENT_KERNEL, k->handle);
	kernel_free(k);
}

cl_kernel kernel_create(cl_program p, struct kernel_table *table, uint32_t index, cl_int *ret_error)
{
	cl_kernel k = kernel_alloc(p, kernel_table_ref(table), index);
	int r;

	*ret_error = CL_OUT_OF_HOST_MEMORY;
	if (!k)
		return NULL;
	if (!join_program(k)) {
		*ret_error = CL_INVALID_PROGRAM_EXECUTABLE;
		discard(k);
		return NULL;
	}
	r = record_create(k, index);
	*ret_error = cl_error_from(r);
	if (r == 0)
		return k;
	discard(k);
	leave_program(p);
	return NULL;
}

cl_kernel kernel_clone(cl_kernel source, cl_int *ret_error)
{
	uint32_t index = (uint32_t)(source->info - source->table->kernels);
	cl_program p = source->program;
	cl_kernel k = kernel_alloc(p, kernel_table_ref(source->table), index);

	*ret_error = CL_OUT_OF_HOST_MEMORY;
	if (!k)
		return NULL;
	/* While the source lives its program is not built again, so this does not fail. */
	if (!join_program(k)) {
		*ret_error = CL_INVALID_PROGRAM_EXECUTABLE;
		discard(k);
		return NULL;
	}
	/* The lock orders the record against the launches of the source, which carry its arguments. */
	pthread_mutex_lock(&source->lock);
	*ret_error = kernel_args_copy(k, source);
	if (!*ret_error)
		*ret_error = cl_error_from(record_clone(k, source->handle));
	pthread_mutex_unlock(&source->lock);
	if (!*ret_error)
		return k;
	discard(k);
	leave_program(p);
	return NULL;
}

void kernel_destroy(cl_kernel k)
{
	cl_program p = k->program;

	record_destroy(k);
	discard(k);
	leave_program(p);
}
