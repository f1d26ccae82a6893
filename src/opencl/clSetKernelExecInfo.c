/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/svm.h"

#define MAX_VALUE (TRNC_REC_MAX - sizeof(struct trnc_rec_kernel_exec_info))

static bool are_shared(cl_context ctx, const void *value, size_t size)
{
	const void *const *pointers = value;

	for (size_t i = 0; i < size / sizeof(*pointers); i++)
		if (pointers[i] && !client_context_has_address(ctx->client, pointers[i]))
			return false;
	return true;
}

/* A value that makes sense goes to the host.  PoCL takes others, too, and does nothing with any: neither do we. */
static bool is_for_host(cl_context ctx, cl_kernel_exec_info param, size_t size, const void *value)
{
	switch (param) {
	case CL_KERNEL_EXEC_INFO_SVM_PTRS:
		return value && size && size % sizeof(void *) == 0 && size <= MAX_VALUE && are_shared(ctx, value, size);
	case CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM:
		return size == sizeof(cl_bool);
	default:
		return false;
	}
}

static cl_int pass_on(cl_kernel kernel, cl_kernel_exec_info param, size_t size, const void *value)
{
	struct client_context *client = kernel->program->context->client;
	struct trnc_rec_kernel_exec_info *rec;
	int r = client_rec_begin(client, TRNC_REC_KERNEL_EXEC_INFO, sizeof(*rec) + ((size + 7) & ~(size_t)7),
				 (void **)&rec);

	if (r)
		return cl_error_from(r);
	rec->kernel = kernel->handle;
	rec->param = param;
	rec->len = (uint32_t)size;
	memcpy(rec + 1, value, size);
	client_rec_end(client);
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clSetKernelExecInfo(cl_kernel kernel, cl_kernel_exec_info param_name,
						    size_t param_value_size, const void *param_value)
{
	cl_context ctx;

	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	ctx = kernel->program->context;
	if (!ctx->svm)
		return CL_INVALID_OPERATION;
	if (!param_value && param_name == CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM) /* PoCL would crash */
		return CL_INVALID_VALUE;
	if (!is_for_host(ctx, param_name, param_value_size, param_value))
		return CL_SUCCESS;
	return pass_on(kernel, param_name, param_value_size, param_value);
}
