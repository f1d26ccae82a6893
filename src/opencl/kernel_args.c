/* SPDX-License-Identifier: MIT */
/*
 * Arguments of kernels: checked here against the table, kept until a launch, and sent with it if they changed.
 * The checks and their order are PoCL's.
 */
#include <stdlib.h>
#include <string.h>

#include "opencl/kernel.h"
#include "opencl/kernel_table.h"

static size_t padded(uint64_t size)
{
	return (size_t)((size + 7) & ~7ull);
}

static size_t arg_data_size(const struct kernel_arg *a)
{
	switch (a->kind) {
	case TRNC_ARG_VALUE:
		return padded(a->size);
	case TRNC_ARG_BUFFER:
	case TRNC_ARG_IMAGE:
	case TRNC_ARG_SAMPLER:
	case TRNC_ARG_SVM:
		return sizeof(a->handle);
	default:
		return 0;
	}
}

/* --------------------------------------------------------------- setting */

static cl_int check_null(const struct arg_info *info, size_t size, const void *value)
{
	bool is_local = info->kind == TRNC_ARG_LOCAL;

	if (is_local && value)
		return CL_INVALID_ARG_VALUE;
	/* A buffer may be none; nothing else may. */
	if (!is_local && !value && info->kind != TRNC_ARG_BUFFER)
		return CL_INVALID_ARG_VALUE;
	if (is_local && size == 0)
		return CL_INVALID_ARG_SIZE;
	return CL_SUCCESS;
}

/* Would all arguments still fit into one record? Asked where the host leaves a size to the program (structs in PoCL). */
static bool has_room(const struct _cl_kernel *k, uint32_t index, size_t size)
{
	uint64_t bytes = padded(size);

	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		bytes += sizeof(struct trnc_arg);
		if (i == index)
			continue;
		bytes += k->args[i].is_set ? arg_data_size(&k->args[i]) : padded(k->info->args[i].size);
	}
	return bytes <= KERNEL_ARGS_BYTES;
}

static bool is_size_right(const struct _cl_kernel *k, uint32_t index, size_t size)
{
	const struct arg_info *info = &k->info->args[index];

	switch (info->kind) {
	case TRNC_ARG_LOCAL:
		return true;
	case TRNC_ARG_VALUE:
		if (size > KERNEL_ARGS_BYTES)
			return false;
		if (info->size == 0)
			return size > 0 && has_room(k, index, size);
		/* A vector of 3 has the size of one of 4; PoCL takes both for it. */
		return size == info->size || (size % 3 == 0 && size / 3 * 4 == info->size);
	default:
		return size == sizeof(cl_mem);
	}
}

/* Numbers and pointers are compared and copied without a call. */
static bool is_same(const void *a, const void *b, size_t size)
{
	switch (size) {
	case 4:
		return memcmp(a, b, 4) == 0;
	case 8:
		return memcmp(a, b, 8) == 0;
	default:
		return memcmp(a, b, size) == 0;
	}
}

static void copy(void *to, const void *from, size_t size)
{
	switch (size) {
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	default:
		memcpy(to, from, size);
		break;
	}
}

static cl_int set_value(struct kernel_arg *a, size_t size, const void *value)
{
	if (a->is_set && a->size == size && is_same(a->value, value, size))
		return CL_SUCCESS;
	if (a->cap < size) {
		uint8_t *room = realloc(a->value, size);

		if (!room)
			return CL_OUT_OF_HOST_MEMORY;
		a->value = room;
		a->cap = (uint32_t)size;
	}
	copy(a->value, value, size);
	a->size = size;
	a->is_changed = true;
	return CL_SUCCESS;
}

static void set_handle(struct kernel_arg *a, uint64_t handle, cl_mem mem)
{
	a->size = sizeof(a->handle);
	a->is_changed = a->is_changed || !a->is_set || a->handle != handle;
	a->handle = handle;
	a->mem = mem;
}

static cl_int set_buffer(cl_kernel k, struct kernel_arg *a, const void *value)
{
	cl_mem mem = NULL;

	if (value)
		memcpy(&mem, value, sizeof(mem));
	if (mem && (!IS_MEM(mem) || mem->image || mem->context != k->program->context))
		return CL_INVALID_ARG_VALUE;
	if (mem && buffer_announce(mem))
		return CL_OUT_OF_HOST_MEMORY;
	set_handle(a, mem ? mem->handle : 0, mem);
	return CL_SUCCESS;
}

static cl_int set_image(cl_kernel k, struct kernel_arg *a, const void *value)
{
	cl_mem mem;

	memcpy(&mem, value, sizeof(mem));
	if (!IS_MEM(mem) || !mem->image || mem->context != k->program->context)
		return CL_INVALID_MEM_OBJECT;
	set_handle(a, mem->image->handle, mem);
	return CL_SUCCESS;
}

static cl_int set_sampler(cl_kernel k, struct kernel_arg *a, const void *value)
{
	cl_sampler sampler;

	memcpy(&sampler, value, sizeof(sampler));
	if (!IS_SAMPLER(sampler) || sampler->context != k->program->context)
		return CL_INVALID_SAMPLER;
	set_handle(a, sampler->handle, NULL);
	a->sampler = sampler;
	return CL_SUCCESS;
}

static cl_int set_local(struct kernel_arg *a, size_t size)
{
	a->is_changed = a->is_changed || !a->is_set || a->size != size;
	a->size = size;
	return CL_SUCCESS;
}

static void note_set(cl_kernel k, struct kernel_arg *a, uint32_t kind, bool is_foreign)
{
	if (a->kind != kind) /* a buffer's handle and an address may be the same number */
		a->is_changed = true;
	k->is_changed = k->is_changed || a->is_changed;
	a->kind = kind;
	if (!a->is_set)
		k->nr_unset--;
	a->is_set = true;
	k->nr_foreign += is_foreign;
	k->nr_foreign -= a->is_foreign;
	a->is_foreign = is_foreign;
}

static cl_int set_locked(cl_kernel k, uint32_t index, size_t size, const void *value)
{
	const struct arg_info *info = &k->info->args[index];
	struct kernel_arg *a = &k->args[index];
	cl_int error;

	if (!is_size_right(k, index, size))
		return CL_INVALID_ARG_SIZE;
	switch (info->kind) {
	case TRNC_ARG_VALUE:
		error = set_value(a, size, value);
		break;
	case TRNC_ARG_BUFFER:
		error = set_buffer(k, a, value);
		break;
	case TRNC_ARG_LOCAL:
		error = set_local(a, size);
		break;
	case TRNC_ARG_IMAGE:
		error = set_image(k, a, value);
		break;
	case TRNC_ARG_SAMPLER:
		error = set_sampler(k, a, value);
		break;
	default:
		error = CL_INVALID_ARG_VALUE;
		break;
	}
	if (error)
		return error;
	note_set(k, a, info->kind, false);
	return CL_SUCCESS;
}

cl_int kernel_arg_set(cl_kernel k, uint32_t index, size_t size, const void *value)
{
	cl_int error;

	if (index >= k->info->nr_args)
		return CL_INVALID_ARG_INDEX;
	error = check_null(&k->info->args[index], size, value);
	if (error)
		return error;
	pthread_mutex_lock(&k->lock);
	error = set_locked(k, index, size, value);
	pthread_mutex_unlock(&k->lock);
	return error;
}

cl_int kernel_arg_set_svm(cl_kernel k, uint32_t index, const void *pointer, bool is_foreign)
{
	if (index >= k->info->nr_args)
		return CL_INVALID_ARG_INDEX;
	if (k->info->args[index].kind != TRNC_ARG_BUFFER)
		return CL_INVALID_ARG_VALUE;
	pthread_mutex_lock(&k->lock);
	set_handle(&k->args[index], (uint64_t)(uintptr_t)pointer, NULL);
	note_set(k, &k->args[index], TRNC_ARG_SVM, is_foreign);
	pthread_mutex_unlock(&k->lock);
	return CL_SUCCESS;
}

cl_int kernel_args_copy(cl_kernel k, const struct _cl_kernel *source)
{
	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		const struct kernel_arg *from = &source->args[i];
		struct kernel_arg *to = &k->args[i];

		if (!from->is_set)
			continue;
		if (from->kind == TRNC_ARG_VALUE && set_value(to, from->size, from->value))
			return CL_OUT_OF_HOST_MEMORY;
		to->kind = from->kind;
		to->size = from->size;
		to->handle = from->handle;
		to->mem = from->mem;
		to->sampler = from->sampler;
		to->is_set = true;
		to->is_foreign = from->is_foreign;
		/* Sent once more: the host's copy may lack what the source has not sent yet. */
		to->is_changed = true;
		k->is_changed = true;
	}
	k->nr_unset = source->nr_unset;
	k->nr_foreign = source->nr_foreign;
	return CL_SUCCESS;
}

uint64_t kernel_args_local(cl_kernel k)
{
	uint64_t bytes = 0;

	pthread_mutex_lock(&k->lock);
	for (uint32_t i = 0; i < k->info->nr_args; i++)
		if (k->args[i].is_set && k->args[i].kind == TRNC_ARG_LOCAL)
			bytes += k->args[i].size;
	pthread_mutex_unlock(&k->lock);
	return bytes;
}

/* --------------------------------------------------------------- sending */

size_t kernel_args_size(cl_kernel k, uint32_t *ret_nr)
{
	size_t bytes = 0;
	uint32_t nr = 0;

	*ret_nr = 0;
	if (!k->is_changed)
		return 0;
	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		if (!k->args[i].is_changed)
			continue;
		bytes += sizeof(struct trnc_arg) + arg_data_size(&k->args[i]);
		nr++;
	}
	*ret_nr = nr;
	return bytes;
}

void kernel_args_write(cl_kernel k, void *dst)
{
	uint8_t *p = dst; /* zeroed: the padding stays as it is */

	if (!k->is_changed)
		return;
	k->is_changed = false;
	for (uint32_t i = 0; i < k->info->nr_args; i++) {
		struct kernel_arg *a = &k->args[i];
		const struct trnc_arg head = { .index = i, .kind = (uint16_t)a->kind, .size = a->size };

		if (!a->is_changed)
			continue;
		p = mempcpy(p, &head, sizeof(head));
		if (a->kind == TRNC_ARG_VALUE)
			copy(p, a->value, a->size);
		else if (a->kind != TRNC_ARG_LOCAL)
			memcpy(p, &a->handle, sizeof(a->handle));
		p += arg_data_size(a);
		a->is_changed = false;
	}
}
