/* SPDX-License-Identifier: MIT */
#include "executor/commands.h"

#include "base/range.h"
#include "executor/image.h"

static int32_t find_range(struct exec_context *c, uint64_t handle, uint64_t offset, uint64_t size,
			  struct exec_buffer **ret)
{
	struct exec_buffer *b = exec_buffer_get(c, handle);

	if (!b)
		return CL_INVALID_MEM_OBJECT;
	if (!base_range_is_within(offset, size, b->size))
		return CL_INVALID_VALUE;
	*ret = b;
	return CL_SUCCESS;
}

static int32_t resolve_copy(struct exec_context *c, const struct trnc_cmd_copy *r, struct exec_operands *ops)
{
	int32_t err = find_range(c, r->src, r->src_offset, r->size, &ops->buffer);

	if (!err)
		err = find_range(c, r->dst, r->dst_offset, r->size, &ops->dst);
	if (!err && ops->buffer == ops->dst && base_range_overlaps(r->src_offset, r->size, r->dst_offset, r->size))
		err = CL_MEM_COPY_OVERLAP;
	return err;
}

static int32_t resolve_copy_rect(struct exec_context *c, const struct trnc_cmd_copy_rect *r,
				 struct exec_operands *ops)
{
	uint64_t end;
	int32_t err;

	if (!exec_decode_rect_end(r->src_origin, r->region, r->src_row_pitch, r->src_slice_pitch, &end))
		return CL_INVALID_VALUE;
	err = find_range(c, r->src, 0, end, &ops->buffer);
	if (err)
		return err;
	if (!exec_decode_rect_end(r->dst_origin, r->region, r->dst_row_pitch, r->dst_slice_pitch, &end))
		return CL_INVALID_VALUE;
	return find_range(c, r->dst, 0, end, &ops->dst);
}

static int32_t resolve_write(struct exec_context *c, const struct trnc_cmd_write *r, struct exec_operands *ops)
{
	void *addr = NULL;
	int32_t err = find_range(c, r->buffer, r->offset, r->size, &ops->buffer);

	if (err)
		return err;
	ops->source = exec_window_get(&c->ex->window, TRNC_SEGMENT_SERVICE, r->source, r->size, &addr);
	ops->source_addr = addr;
	return ops->source ? CL_SUCCESS : CL_INVALID_VALUE;
}

int32_t exec_operands_resolve(struct exec_context *c, const struct exec_record *r, struct exec_operands *ret)
{
	*ret = (struct exec_operands){ 0 };
	switch (r->type) {
	case TRNC_REC_NDRANGE:
		ret->kernel = exec_kernel_get(c, r->ndrange->kernel);
		return ret->kernel ? exec_kernel_take_args(c, ret->kernel, r) : CL_INVALID_KERNEL;
	case TRNC_REC_COPY:
		return resolve_copy(c, r->copy, ret);
	case TRNC_REC_COPY_RECT:
		return resolve_copy_rect(c, r->copy_rect, ret);
	case TRNC_REC_FILL:
		return find_range(c, r->fill->buffer, r->fill->offset, r->fill->size, &ret->buffer);
	case TRNC_REC_WRITE:
		return resolve_write(c, r->write, ret);
	case TRNC_REC_MAP:
		return find_range(c, r->map->buffer, r->map->offset, r->map->size, &ret->buffer);
	case TRNC_REC_UNMAP:
		return find_range(c, r->map->buffer, 0, 0, &ret->buffer);
	case TRNC_REC_IMAGE_FETCH:
	case TRNC_REC_IMAGE_STORE:
		return exec_image_find_region(c, r->image, &ret->buffer);
	default:
		return CL_SUCCESS;
	}
}

int32_t exec_operands_hold(struct exec_context *c, struct exec_operands *ops)
{
	if (ops->kernel) {
		ops->args = exec_kernel_snapshot(c, ops->kernel);
		if (!ops->args) {
			*ops = (struct exec_operands){ .source = ops->source };
			return CL_OUT_OF_HOST_MEMORY;
		}
		exec_kernel_ref(ops->kernel);
	}
	if (ops->buffer)
		exec_buffer_ref(ops->buffer);
	if (ops->dst)
		exec_buffer_ref(ops->dst);
	return CL_SUCCESS;
}

void exec_operands_drop(struct exec_context *c, struct exec_operands *ops)
{
	exec_snapshot_unref(c, ops->args); /* before the kernel that it points at */
	exec_kernel_unref(c, ops->kernel);
	exec_buffer_unref(c, ops->buffer);
	exec_buffer_unref(c, ops->dst);
	*ops = (struct exec_operands){ .source = ops->source };
}

bool exec_command_is_order_only(const struct exec_context *c, const struct exec_record *r)
{
	switch (r->type) {
	case TRNC_REC_MARKER:
	case TRNC_REC_BARRIER:
		return true;
	case TRNC_REC_MAP:
	case TRNC_REC_UNMAP:
		return c->ex->coherent;
	default:
		return false;
	}
}

static int32_t enqueue_ndrange(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_ndrange *r,
			       const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
			       cl_event *ret_event)
{
	size_t offset[3], global[3], local[3];
	bool has_offset = false;
	int32_t err;

	err = ops->args ? exec_snapshot_apply(c, ops->kernel, EXEC_MAIN, ops->args) :
			  exec_kernel_apply(c, ops->kernel, EXEC_MAIN);
	if (err)
		return err;
	for (int i = 0; i < 3; i++) {
		offset[i] = r->offset[i];
		global[i] = r->global[i];
		local[i] = r->local[i];
		has_offset |= offset[i] != 0;
	}
	return c->ex->host.EnqueueNDRangeKernel(queue, ops->kernel->faces[EXEC_MAIN].host, r->dims, has_offset ? offset : NULL, global,
						r->flags & TRNC_NDRANGE_LOCAL ? local : NULL, nr_waits, waits,
						ret_event);
}

static int32_t enqueue_copy_rect(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_copy_rect *r,
				 const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
				 cl_event *ret_event)
{
	size_t src[3], dst[3], region[3];

	for (int i = 0; i < 3; i++) {
		src[i] = r->src_origin[i];
		dst[i] = r->dst_origin[i];
		region[i] = r->region[i];
	}
	return c->ex->host.EnqueueCopyBufferRect(queue, ops->buffer->host, ops->dst->host, src, dst, region,
						 r->src_row_pitch, r->src_slice_pitch, r->dst_row_pitch,
						 r->dst_slice_pitch, nr_waits, waits, ret_event);
}

static int32_t enqueue_marker(struct exec_context *c, cl_command_queue queue, bool is_barrier, cl_uint nr_waits,
			      const cl_event *waits, cl_event *ret_event)
{
	return is_barrier ? c->ex->host.EnqueueBarrierWithWaitList(queue, nr_waits, waits, ret_event) :
			    c->ex->host.EnqueueMarkerWithWaitList(queue, nr_waits, waits, ret_event);
}

static int32_t enqueue_map(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_map *r,
			   const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
			   cl_event *ret_event)
{
	cl_int err = CL_SUCCESS;
	cl_event mapped = NULL;
	void *addr = c->ex->host.EnqueueMapBuffer(queue, ops->buffer->host, CL_FALSE, r->flags, r->offset, r->size,
						  nr_waits, waits, &mapped, &err);

	if (!addr)
		return err;
	err = exec_buffer_add_map(c, ops->buffer, r->map, addr, mapped);
	if (ret_event && !err)
		*ret_event = mapped;
	else
		c->ex->host.ReleaseEvent(mapped);
	return err;
}

static int32_t enqueue_unmap(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_map *r,
			     const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
			     cl_event *ret_event)
{
	void *addr = exec_buffer_take_map(c, ops->buffer, r->map);

	if (!addr)
		return CL_INVALID_VALUE;
	return c->ex->host.EnqueueUnmapMemObject(queue, ops->buffer->host, addr, nr_waits, waits, ret_event);
}

int32_t exec_command_enqueue(struct exec_context *c, cl_command_queue queue, const struct exec_record *r,
			     const struct exec_operands *ops, cl_uint nr_waits, const cl_event *waits,
			     cl_event *ret_event)
{
	struct exec_host *h = &c->ex->host;

	if (nr_waits == 0)
		waits = NULL;
	/* On a host that works in place, maps only order. */
	if (exec_command_is_order_only(c, r))
		return enqueue_marker(c, queue, r->type == TRNC_REC_BARRIER, nr_waits, waits, ret_event);
	switch (r->type) {
	case TRNC_REC_NDRANGE:
		return enqueue_ndrange(c, queue, r->ndrange, ops, nr_waits, waits, ret_event);
	case TRNC_REC_COPY:
		if (r->copy->size == 0) /* nothing to do, and an error on old hosts */
			return enqueue_marker(c, queue, false, nr_waits, waits, ret_event);
		return h->EnqueueCopyBuffer(queue, ops->buffer->host, ops->dst->host, r->copy->src_offset,
					    r->copy->dst_offset, r->copy->size, nr_waits, waits, ret_event);
	case TRNC_REC_COPY_RECT:
		return enqueue_copy_rect(c, queue, r->copy_rect, ops, nr_waits, waits, ret_event);
	case TRNC_REC_FILL:
		if (r->fill->size == 0)
			return enqueue_marker(c, queue, false, nr_waits, waits, ret_event);
		return h->EnqueueFillBuffer(queue, ops->buffer->host, r->fill->pattern, r->fill->pattern_size,
					    r->fill->offset, r->fill->size, nr_waits, waits, ret_event);
	case TRNC_REC_WRITE:
		return h->EnqueueWriteBuffer(queue, ops->buffer->host, CL_FALSE, r->write->offset, r->write->size,
					     ops->source_addr, nr_waits, waits, ret_event);
	case TRNC_REC_MAP:
		return enqueue_map(c, queue, r->map, ops, nr_waits, waits, ret_event);
	case TRNC_REC_UNMAP:
		return enqueue_unmap(c, queue, r->map, ops, nr_waits, waits, ret_event);
	case TRNC_REC_IMAGE_FETCH:
	case TRNC_REC_IMAGE_STORE:
		return exec_image_move(c, queue, r->image, ops->buffer, nr_waits, waits, ret_event);
	default:
		return CL_INVALID_OPERATION;
	}
}
