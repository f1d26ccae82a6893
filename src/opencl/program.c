/* SPDX-License-Identifier: MIT */
#include "opencl/program.h"

#include <stdlib.h>

#include "opencl/device.h"

cl_program program_new(cl_context ctx, cl_int *ret_error)
{
	cl_program p = calloc(1, sizeof(*p));

	*ret_error = CL_OUT_OF_HOST_MEMORY;
	if (!p)
		return NULL;
	p->handle = client_handle_new(ctx->client, CLIENT_PROGRAM);
	if (!p->handle) {
		free(p);
		return NULL;
	}
	head_init(&p->head, KIND_PROGRAM);
	pthread_mutex_init(&p->lock, NULL);
	head_ref(&ctx->head); /* dropped in program_destroy() */
	p->context = ctx;
	p->status = CL_BUILD_NONE;
	p->binary_type = CL_PROGRAM_BINARY_TYPE_NONE;
	*ret_error = CL_SUCCESS;
	return p;
}

static void record_destroy(cl_program p)
{
	struct trnc_rec_object *rec;
	void *room;

	if (client_rec_begin(p->context->client, TRNC_REC_PROGRAM_DESTROY, sizeof(*rec), &room) < 0)
		return; /* lost: nothing is left to destroy */
	rec = room;
	rec->handle = p->handle;
	client_rec_end(p->context->client);
}

void program_destroy(cl_program p)
{
	cl_context ctx = p->context;

	if (p->known_to_host)
		record_destroy(p);
	client_handle_free(ctx->client, CLIENT_PROGRAM, p->handle);
	kernel_table_unref(p->table);
	pthread_mutex_destroy(&p->lock);
	free(p->source);
	free(p->builtin_names);
	free(p->il);
	free(p->binary);
	free(p->options);
	free(p->log);
	free(p);
	clReleaseContext(ctx);
}

static bool is_list(cl_uint nr, const cl_device_id *devices)
{
	return (nr > 0) == (devices != NULL);
}

/* A sub-device stands for its root. @wrong: the error for a device of another context. */
static cl_int check_list(cl_context ctx, cl_uint nr, const cl_device_id *devices, cl_int wrong)
{
	for (cl_uint i = 0; i < nr; i++) {
		if (!IS_DEVICE(devices[i]))
			return CL_INVALID_DEVICE;
		if (device_root(devices[i]) != ctx->device)
			return wrong;
	}
	return CL_SUCCESS;
}

cl_int program_check_devices(cl_context ctx, cl_uint nr, const cl_device_id *devices)
{
	if (!is_list(nr, devices))
		return CL_INVALID_VALUE;
	return check_list(ctx, nr, devices, CL_INVALID_DEVICE);
}

static bool has_live_kernels(cl_program p)
{
	bool has;

	pthread_mutex_lock(&p->lock);
	has = p->nr_live_kernels > 0;
	pthread_mutex_unlock(&p->lock);
	return has;
}

cl_int program_check_build(cl_program p, const struct build_call *call)
{
	if (!is_list(call->nr_devices, call->devices) || (!call->notify && call->notify_data))
		return CL_INVALID_VALUE;
	if (has_live_kernels(p))
		return CL_INVALID_OPERATION;
	return check_list(p->context, call->nr_devices, call->devices, call->wrong_device);
}

cl_int program_refuse_build(cl_program p, const struct build_call *call, cl_int error)
{
	if (call->notify)
		call->notify(p, call->notify_data);
	return error;
}
