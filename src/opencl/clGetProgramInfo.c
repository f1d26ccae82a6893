/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/kernel.h"
#include "opencl/program.h"
#include "opencl/program_binary.h"

/* Where the answer goes. */
struct room {
	size_t cap;
	void *dst;
	size_t *size_ret;
};

static bool is_built(cl_program p)
{
	bool built;

	pthread_mutex_lock(&p->lock);
	built = p->status == CL_BUILD_SUCCESS;
	pthread_mutex_unlock(&p->lock);
	return built;
}

/* The one TRNC_TAG_BINARY of a reply, as programs get it. */
static cl_int binary_of(const void *blob, size_t len, void **ret, size_t *ret_len)
{
	struct base_blob_reader r;
	struct base_blob_item it;

	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_BINARY)
			return program_binary_wrap(it.data, it.len, ret, ret_len);
	return CL_OUT_OF_RESOURCES;
}

/* The binary is large and seldom wanted: it is asked for once, when a program wants it. */
static cl_int fetch_binary(cl_program p)
{
	struct trn_error err = { 0 };
	void *blob, *binary = NULL;
	size_t len, binary_len = 0;
	cl_int error;
	int r;

	pthread_mutex_lock(&p->lock);
	binary = p->binary;
	pthread_mutex_unlock(&p->lock);
	if (binary)
		return CL_SUCCESS;

	r = client_program_query(p->context->client, p->handle, TRNC_QUERY_BINARY, &blob, &len, &err);
	if (r < 0)
		return cl_error_from(r);
	error = binary_of(blob, len, &binary, &binary_len);
	free(blob);
	if (error)
		return error;

	pthread_mutex_lock(&p->lock);
	if (!p->binary && p->status == CL_BUILD_SUCCESS) {
		p->binary = binary;
		p->binary_len = binary_len;
		binary = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	free(binary); /* another thread was first */
	return CL_SUCCESS;
}

static cl_int give_binary_sizes(cl_program p, const struct room *room)
{
	size_t size = 0;
	cl_int error;

	if (!is_built(p))
		return CL_INVALID_PROGRAM;
	if (room->dst && room->cap >= sizeof(size)) {
		error = fetch_binary(p);
		if (error)
			return error;
		pthread_mutex_lock(&p->lock);
		size = p->binary_len;
		pthread_mutex_unlock(&p->lock);
	}
	return info_return(&size, sizeof(size), room->cap, room->dst, room->size_ret);
}

/* The answer is an array of the program's pointers, one for our one device; the bytes go where it points. */
static cl_int give_binaries(cl_program p, const struct room *room)
{
	unsigned char *dst;
	cl_int error;

	if (!is_built(p))
		return CL_INVALID_PROGRAM;
	if (!room->dst)
		return info_return(NULL, sizeof(dst), room->cap, NULL, room->size_ret);
	if (room->cap < sizeof(dst))
		return CL_INVALID_VALUE;
	memcpy(&dst, room->dst, sizeof(dst));
	if (dst) {
		error = fetch_binary(p);
		if (error)
			return error;
		pthread_mutex_lock(&p->lock);
		if (p->binary_len)
			memcpy(dst, p->binary, p->binary_len);
		pthread_mutex_unlock(&p->lock);
	}
	if (room->size_ret)
		*room->size_ret = sizeof(dst);
	return CL_SUCCESS;
}

static cl_int give_nr_kernels(cl_program p, const struct room *room)
{
	struct kernel_table *t = program_table(p);
	size_t nr;

	if (!t)
		return CL_INVALID_PROGRAM_EXECUTABLE;
	nr = t->nr_kernels;
	kernel_table_unref(t);
	return info_return(&nr, sizeof(nr), room->cap, room->dst, room->size_ret);
}

/* "one;two;three" */
static char *join_names(const struct kernel_table *t)
{
	size_t size = 1;
	char *text, *end;

	for (uint32_t i = 0; i < t->nr_kernels; i++)
		size += strlen(t->kernels[i].name) + 1;
	text = end = malloc(size);
	if (!text)
		return NULL;
	for (uint32_t i = 0; i < t->nr_kernels; i++) {
		if (i)
			*end++ = ';';
		end = stpcpy(end, t->kernels[i].name);
	}
	*end = '\0';
	return text;
}

static cl_int give_kernel_names(cl_program p, const struct room *room)
{
	struct kernel_table *t = program_table(p);
	cl_int error;
	char *text;

	if (!t)
		return CL_INVALID_PROGRAM_EXECUTABLE;
	text = join_names(t);
	kernel_table_unref(t);
	if (!text)
		return CL_OUT_OF_HOST_MEMORY;
	if (room->size_ret) /* beside an error, too: as PoCL in this case alone */
		*room->size_ret = strlen(text) + 1;
	error = info_return_str(text, room->cap, room->dst, room->size_ret);
	free(text);
	return error;
}

CL_API_ENTRY cl_int CL_API_CALL clGetProgramInfo(cl_program program, cl_program_info param_name,
						 size_t param_value_size, void *param_value,
						 size_t *param_value_size_ret)
{
	const struct room room = { param_value_size, param_value, param_value_size_ret };
	cl_program p = program;

	if (!IS_PROGRAM(p))
		return CL_INVALID_PROGRAM;

	switch (param_name) {
	case CL_PROGRAM_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&p->head.refs), room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_CONTEXT:
		return INFO_RETURN(cl_context, p->context, room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_NUM_DEVICES:
		return INFO_RETURN(cl_uint, 1, room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_DEVICES:
		return INFO_RETURN(cl_device_id, p->context->device, room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_SOURCE: /* never changes after the create */
		return info_return(p->source ? p->source : "", p->source_len + 1, room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_IL:
		return info_return(p->il, p->il_len, room.cap, room.dst, room.size_ret);
	case CL_PROGRAM_BINARY_SIZES:
		return give_binary_sizes(p, &room);
	case CL_PROGRAM_BINARIES:
		return give_binaries(p, &room);
	case CL_PROGRAM_NUM_KERNELS:
		return give_nr_kernels(p, &room);
	case CL_PROGRAM_KERNEL_NAMES:
		return give_kernel_names(p, &room);
	case CL_PROGRAM_SCOPE_GLOBAL_CTORS_PRESENT:
	case CL_PROGRAM_SCOPE_GLOBAL_DTORS_PRESENT:
		return INFO_RETURN(cl_bool, CL_FALSE, room.cap, room.dst, room.size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
