/* SPDX-License-Identifier: MIT */
#include "base/range.h"
#include "opencl/buffer.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
#define HOST_FLAGS (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)
#define POINTER_FLAGS (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)

/* What the sub-buffer does not say it has from its parent; what it says must not be more than the parent allows. */
static cl_int inherit_flags(cl_mem parent, cl_mem_flags *flags)
{
	cl_mem_flags access = *flags & ACCESS_FLAGS, host = *flags & HOST_FLAGS;

	if (parent->flags & CL_MEM_WRITE_ONLY && access & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY))
		return CL_INVALID_VALUE;
	if (parent->flags & CL_MEM_READ_ONLY && access & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY))
		return CL_INVALID_VALUE;
	if (*flags & POINTER_FLAGS)
		return CL_INVALID_VALUE;
	if (parent->flags & CL_MEM_HOST_WRITE_ONLY && host & CL_MEM_HOST_READ_ONLY)
		return CL_INVALID_VALUE;
	if (parent->flags & CL_MEM_HOST_READ_ONLY && host & CL_MEM_HOST_WRITE_ONLY)
		return CL_INVALID_VALUE;
	if (parent->flags & CL_MEM_HOST_NO_ACCESS && host & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY))
		return CL_INVALID_VALUE;
	if (!access)
		access = parent->flags & ACCESS_FLAGS;
	if (!host)
		host = parent->flags & HOST_FLAGS;
	*flags = access | host | (parent->flags & POINTER_FLAGS);
	return CL_SUCCESS;
}

/* In the host driver's order; flags that nobody knows are nobody's concern. */
static cl_int check(cl_mem parent, cl_mem_flags *flags, cl_buffer_create_type type, const cl_buffer_region *region)
{
	cl_int code;

	if (!IS_MEM(parent) || parent->parent || parent->image)
		return CL_INVALID_MEM_OBJECT;
	if (type != CL_BUFFER_CREATE_TYPE_REGION || !region)
		return CL_INVALID_VALUE;
	if (!region->size)
		return CL_INVALID_BUFFER_SIZE;
	if (!base_range_is_within(region->origin, region->size, parent->size))
		return CL_INVALID_VALUE;
	code = inherit_flags(parent, flags);
	if (code)
		return code;
	return region->origin % parent->context->device->limits.base_align ? CL_MISALIGNED_SUB_BUFFER_OFFSET : CL_SUCCESS;
}

/* The program may name several; the host is told of one, or to take its parent's. */
static cl_mem_flags record_flags(cl_mem_flags flags)
{
	cl_mem_flags access = flags & ACCESS_FLAGS;

	return access & (access - 1) ? 0 : access;
}

static cl_int write_record(cl_mem sub)
{
	struct client_context *client = sub->context->client;
	struct trnc_rec_sub_buffer_create *rec;
	int r;

	sub->handle = client_handle_new(client, CLIENT_BUFFER);
	if (!sub->handle)
		return CL_OUT_OF_HOST_MEMORY;
	r = client_rec_begin(client, TRNC_REC_SUB_BUFFER_CREATE, sizeof(*rec), (void **)&rec);

	if (r)
		return cl_error_from(r);
	rec->buffer = sub->handle;
	rec->parent = sub->parent->handle;
	rec->flags = record_flags(sub->flags);
	rec->origin = sub->origin;
	rec->size = sub->size;
	client_rec_end(client);
	return CL_SUCCESS;
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags,
						  cl_buffer_create_type buffer_create_type,
						  const void *buffer_create_info, cl_int *errcode_ret)
{
	const cl_buffer_region *region = buffer_create_info;
	cl_int code = check(buffer, &flags, buffer_create_type, region);
	cl_mem sub;

	if (code)
		return fail_with(errcode_ret, code);
	sub = buffer_alloc(buffer->context, flags, region->size);
	if (!sub)
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	sub->parent = buffer;
	sub->origin = region->origin;
	sub->bytes = buffer->bytes + region->origin;
	if (buffer->host_ptr)
		sub->host_ptr = (uint8_t *)buffer->host_ptr + region->origin;
	code = buffer_announce(buffer);
	if (!code)
		code = write_record(sub);
	if (code) {
		client_handle_free(buffer->context->client, CLIENT_BUFFER, sub->handle);
		buffer_free(sub);
		return fail_with(errcode_ret, code);
	}
	head_ref(&buffer->head);
	fail_with(errcode_ret, CL_SUCCESS);
	return sub;
}
