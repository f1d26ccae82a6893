/* SPDX-License-Identifier: MIT */
#include "executor/decode.h"

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <string.h>

#define ALIGN 8u

/* Access to the buffer's contents by kernels and by the program; how the memory is provided is ours to say. */
#define BUFFER_FLAGS                                                                                   \
	(CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY | CL_MEM_HOST_WRITE_ONLY |           \
	 CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)
#define QUEUE_PROPERTIES (CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE)
#define IMAGE_SIZE_MAX (1ull << 32)
#define MAP_FLAGS (CL_MAP_READ | CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)

bool exec_decode_start(const struct exec_rec_start *start, uint64_t avail, uint64_t room)
{
	if (start->len < sizeof(*start) || start->len % ALIGN || start->len > avail || start->len > room)
		return false;
	if (start->type == TRNC_REC_PAD)
		return start->flags == 0;
	return start->len >= sizeof(struct trnc_rec) && start->len <= TRNC_REC_MAX;
}

static bool is_handle(uint64_t handle)
{
	return (handle >> 32) != 0 && (uint32_t)handle < TRNC_MAX_OBJECTS;
}

static bool overflows(uint64_t start, uint64_t len)
{
	uint64_t end;

	return __builtin_add_overflow(start, len, &end);
}

/* At most one of the bits in mask. */
static bool has_at_most_one(uint64_t flags, uint64_t mask)
{
	flags &= mask;
	return (flags & (flags - 1)) == 0;
}

static int32_t check_buffer_flags(uint64_t flags)
{
	if ((flags & ~(uint64_t)BUFFER_FLAGS) ||
	    !has_at_most_one(flags, CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY) ||
	    !has_at_most_one(flags, CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

/* ---------------------------------------------------------------- objects */

static int32_t decode_queue_create(const struct exec_record *r)
{
	if (!is_handle(r->queue_create->queue) || !is_handle(r->queue_create->event))
		return CL_INVALID_VALUE;
	if (r->queue_create->properties & ~(uint64_t)QUEUE_PROPERTIES)
		return CL_INVALID_QUEUE_PROPERTIES;
	/* Whether the host has these units is seen by exec_queue_create(). */
	if (r->queue_create->first_unit && !r->queue_create->nr_units)
		return CL_INVALID_DEVICE;
	return CL_SUCCESS;
}

static int32_t decode_buffer_create(const struct exec_record *r)
{
	const struct trnc_rec_buffer_create *c = r->buffer_create;

	if (!is_handle(c->buffer))
		return CL_INVALID_VALUE;
	if (c->size == 0 || overflows(c->offset, c->size))
		return CL_INVALID_BUFFER_SIZE;
	return check_buffer_flags(c->flags);
}

static int32_t decode_sub_buffer_create(const struct exec_record *r)
{
	const struct trnc_rec_sub_buffer_create *c = r->sub_buffer_create;

	if (!is_handle(c->buffer))
		return CL_INVALID_VALUE;
	if (!is_handle(c->parent))
		return CL_INVALID_MEM_OBJECT;
	if (c->size == 0)
		return CL_INVALID_BUFFER_SIZE;
	if (overflows(c->origin, c->size))
		return CL_INVALID_VALUE;
	return check_buffer_flags(c->flags);
}

static bool is_image_size(uint64_t size, bool has_dimension)
{
	return has_dimension ? size >= 1 && size <= IMAGE_SIZE_MAX : size == 1;
}

bool exec_decode_image_end(const struct trnc_rec_image_create *r, uint64_t *ret_end)
{
	bool is_1d = r->type == CL_MEM_OBJECT_IMAGE1D || r->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ||
		     r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
	bool is_array = r->type == CL_MEM_OBJECT_IMAGE1D_ARRAY || r->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
	bool is_3d = r->type == CL_MEM_OBJECT_IMAGE3D;
	uint64_t slice;

	if (!is_image_size(r->width, true) || !is_image_size(r->height, !is_1d) || !is_image_size(r->depth, is_3d) ||
	    !is_image_size(r->array_size, is_array))
		return false;
	/* No pixel is smaller than a byte; what a row has to be, the host knows. */
	if (r->row_pitch < r->width || __builtin_mul_overflow(r->row_pitch, r->height, &slice))
		return false;
	if (!is_array && !is_3d) {
		*ret_end = slice;
		return r->slice_pitch == 0;
	}
	return r->slice_pitch >= slice && r->slice_pitch % r->row_pitch == 0 &&
	       !__builtin_mul_overflow(r->slice_pitch, is_3d ? r->depth : r->array_size, ret_end);
}

static int32_t decode_image_create(const struct exec_record *r)
{
	const struct trnc_rec_image_create *c = r->image_create;
	uint64_t end;

	if (!is_handle(c->image) || c->reserved)
		return CL_INVALID_VALUE;
	if (!is_handle(c->buffer))
		return CL_INVALID_MEM_OBJECT;
	switch (c->type) {
	case CL_MEM_OBJECT_IMAGE1D:
	case CL_MEM_OBJECT_IMAGE1D_BUFFER:
	case CL_MEM_OBJECT_IMAGE2D:
	case CL_MEM_OBJECT_IMAGE3D:
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		break;
	default:
		return CL_INVALID_IMAGE_DESCRIPTOR;
	}
	if (!exec_decode_image_end(c, &end))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	return check_buffer_flags(c->flags & ~(uint64_t)CL_MEM_COPY_HOST_PTR);
}

static int32_t decode_sampler_create(const struct exec_record *r)
{
	const struct trnc_rec_sampler_create *c = r->sampler_create;

	if (!is_handle(c->sampler) || c->reserved || c->normalized > 1 || c->addressing < CL_ADDRESS_NONE ||
	    c->addressing > CL_ADDRESS_MIRRORED_REPEAT || c->filter < CL_FILTER_NEAREST || c->filter > CL_FILTER_LINEAR)
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static int32_t decode_kernel_exec_info(const struct exec_record *r)
{
	const struct trnc_rec_kernel_exec_info *e = r->kernel_exec_info;
	const uint8_t *value = (const uint8_t *)(e + 1);
	uint64_t padded = ((uint64_t)e->len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);

	if (!is_handle(e->kernel))
		return CL_INVALID_KERNEL;
	if (e->len == 0 || padded != r->len - sizeof(*e))
		return CL_INVALID_VALUE;
	for (uint64_t i = e->len; i < padded; i++)
		if (value[i])
			return CL_INVALID_VALUE;
	switch (e->param) {
	case CL_KERNEL_EXEC_INFO_SVM_PTRS:
		return e->len % sizeof(uint64_t) ? CL_INVALID_VALUE : CL_SUCCESS;
	case CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM:
		return e->len == sizeof(cl_bool) ? CL_SUCCESS : CL_INVALID_VALUE;
	default:
		return CL_INVALID_VALUE;
	}
}

static int32_t decode_user_event_set(const struct exec_record *r)
{
	const struct trnc_rec_user_event_set *s = r->user_event_set;

	if (!is_handle(s->event))
		return CL_INVALID_EVENT;
	if (s->reserved || s->status > 0 || s->end_ns < s->start_ns)
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

/* A record that is no command: of fixed size, but for KERNEL_EXEC_INFO. */
static int32_t decode_object(const struct exec_record *r)
{
	switch (r->type) {
	case TRNC_REC_QUEUE_CREATE:
		return r->len == sizeof(*r->queue_create) ? decode_queue_create(r) : CL_INVALID_VALUE;
	case TRNC_REC_BUFFER_CREATE:
		return r->len == sizeof(*r->buffer_create) ? decode_buffer_create(r) : CL_INVALID_VALUE;
	case TRNC_REC_SUB_BUFFER_CREATE:
		return r->len == sizeof(*r->sub_buffer_create) ? decode_sub_buffer_create(r) : CL_INVALID_VALUE;
	case TRNC_REC_BUFFER_DESTROY:
		if (r->len != sizeof(*r->buffer_destroy) ||
		    (r->buffer_destroy->event && !is_handle(r->buffer_destroy->event)))
			return CL_INVALID_VALUE;
		return is_handle(r->buffer_destroy->buffer) ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
	case TRNC_REC_IMAGE_CREATE:
		return r->len == sizeof(*r->image_create) ? decode_image_create(r) : CL_INVALID_VALUE;
	case TRNC_REC_SAMPLER_CREATE:
		return r->len == sizeof(*r->sampler_create) ? decode_sampler_create(r) : CL_INVALID_VALUE;
	case TRNC_REC_KERNEL_CREATE:
		if (r->len != sizeof(*r->kernel_create) || r->kernel_create->reserved ||
		    !is_handle(r->kernel_create->kernel))
			return CL_INVALID_VALUE;
		return is_handle(r->kernel_create->program) ? CL_SUCCESS : CL_INVALID_PROGRAM;
	case TRNC_REC_KERNEL_CLONE:
		if (r->len != sizeof(*r->kernel_clone) || !is_handle(r->kernel_clone->kernel))
			return CL_INVALID_VALUE;
		return is_handle(r->kernel_clone->source) ? CL_SUCCESS : CL_INVALID_KERNEL;
	case TRNC_REC_KERNEL_EXEC_INFO:
		return r->len > sizeof(*r->kernel_exec_info) ? decode_kernel_exec_info(r) : CL_INVALID_VALUE;
	case TRNC_REC_USER_EVENT_SET:
		return r->len == sizeof(*r->user_event_set) ? decode_user_event_set(r) : CL_INVALID_VALUE;
	case TRNC_REC_QUEUE_DESTROY:
	case TRNC_REC_IMAGE_DESTROY:
	case TRNC_REC_SAMPLER_DESTROY:
	case TRNC_REC_PROGRAM_DESTROY:
	case TRNC_REC_KERNEL_DESTROY:
	case TRNC_REC_USER_EVENT_CREATE:
	case TRNC_REC_EVENT_RELEASE:
		return r->len == sizeof(*r->object) && is_handle(r->object->handle) ? CL_SUCCESS : CL_INVALID_VALUE;
	default:
		return CL_INVALID_OPERATION;
	}
}

/* --------------------------------------------------------------- commands */

static int32_t decode_ndrange(const struct exec_record *r)
{
	const struct trnc_cmd_ndrange *n = r->ndrange;

	if (!is_handle(n->kernel))
		return CL_INVALID_KERNEL;
	if (n->dims < 1 || n->dims > 3)
		return CL_INVALID_WORK_DIMENSION;
	if (n->flags & ~TRNC_NDRANGE_LOCAL)
		return CL_INVALID_VALUE;
	for (uint32_t i = 0; i < 3; i++) {
		if (i >= n->dims && (n->offset[i] != 0 || n->global[i] != 1 || n->local[i] > 1))
			return CL_INVALID_VALUE;
		if (overflows(n->offset[i], n->global[i]))
			return CL_INVALID_GLOBAL_OFFSET;
		if (i < n->dims && (n->flags & TRNC_NDRANGE_LOCAL) && n->local[i] == 0)
			return CL_INVALID_WORK_GROUP_SIZE;
	}
	return CL_SUCCESS;
}

bool exec_decode_rect_end(const __u64 origin[3], const __u64 region[3], uint64_t row, uint64_t slice,
			  uint64_t *ret_end)
{
	uint64_t rows, slices, x, y, z;

	if (row == 0)
		row = region[0];
	if (slice == 0 && __builtin_mul_overflow(region[1], row, &slice))
		return false;
	if (row < region[0] || __builtin_mul_overflow(region[1], row, &rows) || slice < rows || slice % row)
		return false;
	if (__builtin_add_overflow(origin[0], region[0], &x) ||
	    __builtin_add_overflow(origin[1], region[1] - 1, &y) || __builtin_mul_overflow(y, row, &y) ||
	    __builtin_add_overflow(origin[2], region[2] - 1, &z) || __builtin_mul_overflow(z, slice, &slices))
		return false;
	return !__builtin_add_overflow(x, y, &x) && !__builtin_add_overflow(x, slices, ret_end);
}

static int32_t decode_copy_rect(const struct exec_record *r)
{
	const struct trnc_cmd_copy_rect *c = r->copy_rect;
	uint64_t end;

	if (!is_handle(c->src) || !is_handle(c->dst))
		return CL_INVALID_MEM_OBJECT;
	for (int i = 0; i < 3; i++)
		if (c->region[i] == 0)
			return CL_INVALID_VALUE;
	if (!exec_decode_rect_end(c->src_origin, c->region, c->src_row_pitch, c->src_slice_pitch, &end) ||
	    !exec_decode_rect_end(c->dst_origin, c->region, c->dst_row_pitch, c->dst_slice_pitch, &end))
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static int32_t decode_fill(const struct exec_record *r)
{
	const struct trnc_cmd_fill *f = r->fill;

	if (!is_handle(f->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (f->pattern_size == 0 || f->pattern_size > sizeof(f->pattern) || (f->pattern_size & (f->pattern_size - 1)))
		return CL_INVALID_VALUE;
	if (f->offset % f->pattern_size || f->size % f->pattern_size || overflows(f->offset, f->size))
		return CL_INVALID_VALUE;
	for (size_t i = f->pattern_size; i < sizeof(f->pattern); i++)
		if (f->pattern[i])
			return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static int32_t decode_map(const struct exec_record *r)
{
	const struct trnc_cmd_map *m = r->map;

	if (!is_handle(m->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (m->map == 0 || overflows(m->offset, m->size))
		return CL_INVALID_VALUE;
	if (r->type == TRNC_REC_UNMAP)
		return m->flags ? CL_INVALID_VALUE : CL_SUCCESS;
	if (m->size == 0 || (m->flags & ~(uint64_t)MAP_FLAGS) ||
	    ((m->flags & CL_MAP_WRITE_INVALIDATE_REGION) && (m->flags & (CL_MAP_READ | CL_MAP_WRITE))))
		return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static int32_t decode_image(const struct exec_record *r)
{
	const struct trnc_cmd_image *m = r->image;

	if (!is_handle(m->image))
		return CL_INVALID_MEM_OBJECT;
	for (int i = 0; i < 3; i++)
		if (m->region[i] == 0 || overflows(m->origin[i], m->region[i]))
			return CL_INVALID_VALUE;
	return CL_SUCCESS;
}

static int32_t decode_body(const struct exec_record *r)
{
	switch (r->type) {
	case TRNC_REC_NDRANGE:
		return decode_ndrange(r);
	case TRNC_REC_COPY:
		if (!is_handle(r->copy->src) || !is_handle(r->copy->dst))
			return CL_INVALID_MEM_OBJECT;
		if (overflows(r->copy->src_offset, r->copy->size) || overflows(r->copy->dst_offset, r->copy->size))
			return CL_INVALID_VALUE;
		return CL_SUCCESS;
	case TRNC_REC_COPY_RECT:
		return decode_copy_rect(r);
	case TRNC_REC_FILL:
		return decode_fill(r);
	case TRNC_REC_WRITE:
		if (!is_handle(r->write->buffer))
			return CL_INVALID_MEM_OBJECT;
		if (r->write->size == 0 || overflows(r->write->offset, r->write->size) ||
		    overflows(r->write->source, r->write->size))
			return CL_INVALID_VALUE;
		return CL_SUCCESS;
	case TRNC_REC_MAP:
	case TRNC_REC_UNMAP:
		return decode_map(r);
	case TRNC_REC_IMAGE_FETCH:
	case TRNC_REC_IMAGE_STORE:
		return decode_image(r);
	default:
		return CL_SUCCESS; /* MARKER, BARRIER, CLIENT: no body */
	}
}

static size_t body_end(uint16_t type)
{
	switch (type) {
	case TRNC_REC_NDRANGE:
		return sizeof(struct trnc_cmd_ndrange);
	case TRNC_REC_COPY:
		return sizeof(struct trnc_cmd_copy);
	case TRNC_REC_COPY_RECT:
		return sizeof(struct trnc_cmd_copy_rect);
	case TRNC_REC_FILL:
		return sizeof(struct trnc_cmd_fill);
	case TRNC_REC_WRITE:
		return sizeof(struct trnc_cmd_write);
	case TRNC_REC_MAP:
	case TRNC_REC_UNMAP:
		return sizeof(struct trnc_cmd_map);
	case TRNC_REC_IMAGE_FETCH:
	case TRNC_REC_IMAGE_STORE:
		return sizeof(struct trnc_cmd_image);
	case TRNC_REC_MARKER:
	case TRNC_REC_BARRIER:
	case TRNC_REC_CLIENT:
		return sizeof(struct trnc_cmd);
	default:
		return 0;
	}
}

/* Walks the arguments, which fill the record's rest exactly. */
static int32_t decode_args(const struct exec_record *r, size_t left)
{
	const uint8_t *p = r->args;

	for (uint32_t i = 0; i < r->nr_args; i++) {
		struct trnc_arg arg;
		uint64_t padded = 0;

		if (left < sizeof(arg))
			return CL_INVALID_VALUE;
		memcpy(&arg, p, sizeof(arg));
		p += sizeof(arg);
		left -= sizeof(arg);
		if (arg.reserved)
			return CL_INVALID_VALUE;
		if (arg.size == 0)
			return CL_INVALID_ARG_SIZE;
		switch (arg.kind) {
		case TRNC_ARG_VALUE:
			if (arg.size > left)
				return CL_INVALID_ARG_SIZE;
			padded = (arg.size + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
			break;
		case TRNC_ARG_BUFFER:
		case TRNC_ARG_IMAGE:
		case TRNC_ARG_SAMPLER:
		case TRNC_ARG_SVM:
			if (arg.size != sizeof(uint64_t))
				return CL_INVALID_ARG_SIZE;
			padded = sizeof(uint64_t);
			break;
		case TRNC_ARG_LOCAL:
			break;
		default:
			return CL_INVALID_ARG_VALUE;
		}
		if (padded > left)
			return CL_INVALID_ARG_SIZE;
		p += padded;
		left -= padded;
	}
	return left == 0 ? CL_SUCCESS : CL_INVALID_VALUE;
}

static int32_t decode_command(const uint8_t *bytes, struct exec_record *r)
{
	size_t body = body_end(r->type), left;

	if (r->len < sizeof(struct trnc_cmd))
		return CL_INVALID_VALUE;
	r->is_command = true;
	if (body == 0)
		return CL_INVALID_OPERATION;
	if (r->len < body)
		return CL_INVALID_VALUE;
	if (!is_handle(r->cmd->queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (r->cmd->event && !is_handle(r->cmd->event))
		return CL_INVALID_EVENT;
	if (r->cmd->nr_waits > TRNC_MAX_WAITS)
		return CL_INVALID_EVENT_WAIT_LIST;
	if (r->cmd->nr_args && r->type != TRNC_REC_NDRANGE)
		return CL_INVALID_VALUE;
	left = r->len - body;
	if (left < r->cmd->nr_waits * sizeof(uint64_t))
		return CL_INVALID_EVENT_WAIT_LIST;

	r->nr_waits = r->cmd->nr_waits;
	r->waits = (const uint64_t *)(const void *)(bytes + body);
	r->nr_args = r->cmd->nr_args;
	r->args = bytes + body + r->nr_waits * sizeof(uint64_t);
	left -= r->nr_waits * sizeof(uint64_t);
	for (uint32_t i = 0; i < r->nr_waits; i++)
		if (!is_handle(r->waits[i]))
			return CL_INVALID_EVENT_WAIT_LIST;
	if (r->nr_args == 0 && left)
		return CL_INVALID_VALUE;
	if (r->nr_args) {
		int32_t err = decode_args(r, left);

		if (err)
			return err;
	}
	return decode_body(r);
}

int32_t exec_decode(const void *bytes, uint32_t len, struct exec_record *ret)
{
	const struct trnc_rec *rec = bytes;

	*ret = (struct exec_record){ .type = rec->type, .len = len, .rec = rec };
	if (rec->flags || rec->len != len || len < sizeof(*rec))
		return CL_INVALID_VALUE;
	if (rec->type == TRNC_REC_PAD)
		return CL_SUCCESS;
	if (rec->type >= TRNC_REC_NDRANGE)
		return decode_command(bytes, ret);
	return decode_object(ret);
}

void exec_decode_arg(const struct exec_record *r, size_t *pos, struct exec_arg *ret)
{
	struct trnc_arg arg;

	memcpy(&arg, r->args + *pos, sizeof(arg));
	*pos += sizeof(arg);
	*ret = (struct exec_arg){
		.index = arg.index,
		.kind = arg.kind,
		.size = arg.size,
		.data = arg.kind == TRNC_ARG_LOCAL ? NULL : r->args + *pos,
	};
	if (arg.kind == TRNC_ARG_VALUE)
		*pos += (arg.size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	else if (arg.kind != TRNC_ARG_LOCAL)
		*pos += sizeof(uint64_t);
}
