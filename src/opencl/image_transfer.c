/* SPDX-License-Identifier: MIT */
/* Boxes of images, and their bytes on the way: to and from the program, and between images and buffers. */
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "opencl/image.h"

/* ----------------------------------------------------------------- boxes */

static void sizes_of(cl_mem mem, size_t sizes[3])
{
	const struct image *img = mem->image;

	sizes[0] = img->width;
	sizes[1] = mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? img->array_size : img->height ? img->height : 1;
	sizes[2] = mem->type == CL_MEM_OBJECT_IMAGE2D_ARRAY ? img->array_size : img->depth ? img->depth : 1;
}

/* From a row to the next, and from a slice to the next. Layers of lines follow each other like rows: by the row pitch on
 * hosts that use the bytes in place, as PoCL has it in kernels, too. */
static void set_pitches(cl_mem mem, const size_t sizes[3], struct image_box *box)
{
	const struct image *img = mem->image;
	bool is_lines = mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;

	box->row = is_lines && img->is_own ? img->slice_pitch : img->row_pitch;
	box->slice = box->row * sizes[1];
	if (mem->type == CL_MEM_OBJECT_IMAGE3D || mem->type == CL_MEM_OBJECT_IMAGE2D_ARRAY)
		box->slice = img->slice_pitch;
}

cl_int image_box(cl_mem mem, const size_t *origin, const size_t *region, struct image_box *ret)
{
	size_t sizes[3];

	if (!origin || !region)
		return CL_INVALID_VALUE;
	sizes_of(mem, sizes);
	for (int i = 0; i < 3; i++) {
		/* What a type does not have is one pixel, not none. */
		if (!base_range_is_within(origin[i], region[i], sizes[i]) || (i && !region[i] && sizes[i] == 1))
			return CL_INVALID_VALUE;
		ret->pixels.origin[i] = ret->origin[i] = origin[i];
		ret->pixels.region[i] = ret->region[i] = region[i];
	}
	ret->origin[0] *= mem->image->element_size;
	ret->region[0] *= mem->image->element_size;
	set_pitches(mem, sizes, ret);
	ret->offset = ret->origin[2] * ret->slice + ret->origin[1] * ret->row + ret->origin[0];
	ret->span = 0;
	if (region[0] && region[1] && region[2])
		ret->span = (region[2] - 1) * ret->slice + (region[1] - 1) * ret->row + ret->region[0];
	return CL_SUCCESS;
}

cl_int image_box_check_empty(const struct image_box *box, size_t size)
{
	size_t last = box->origin[0] + box->region[0] - 1 + box->row * (box->origin[1] + box->region[1] - 1) +
		      box->slice * (box->origin[2] + box->region[2] - 1);

	return last < size ? CL_SUCCESS : CL_INVALID_VALUE;
}

cl_int image_buffer_box(cl_mem buffer, size_t offset, const struct image_box *image, struct image_box *ret)
{
	*ret = (struct image_box){ .origin = { offset, 0, 0 }, .row = image->region[0] };
	memcpy(ret->region, image->region, sizeof(ret->region));
	ret->slice = ret->row * image->region[1];
	if (!image->span)
		return image_box_check_empty(ret, buffer->size);
	return mem_check_range(buffer, offset, ret->slice * image->region[2]);
}

/* ------------------------------------------------------------- transfers */

/* Into an image that the host has elsewhere: the bytes, then STORE, which is the command itself. */
static cl_int write_own(struct command *c, cl_mem mem, const struct image_box *box, struct transfer *t, bool blocking)
{
	struct command step;
	cl_event written;
	cl_int code;

	command_step_init(&step, c, &written);
	code = command_finish(&step, transfer_enqueue(&step, mem, box->offset, t, blocking));
	if (code)
		return code;
	t->owned = NULL; /* the transfer is under way, whatever comes next */
	command_wait_only_for(c, written);
	code = image_store(c, mem, &box->pixels, blocking);
	clReleaseEvent(written);
	return code;
}

static cl_int read_own(struct command *c, cl_mem mem, const struct image_box *box, const struct transfer *t,
		       bool blocking)
{
	cl_event fetched;
	cl_int code = image_fetch_first(c, mem, &box->pixels, &fetched);

	if (code)
		return code;
	code = transfer_enqueue(c, mem, box->offset, t, blocking);
	clReleaseEvent(fetched);
	return code;
}

/* Nothing to move: only the command's place in the queue. */
static cl_int transfer_nothing(struct command *c, struct transfer *t, bool blocking)
{
	cl_int code = command_write_bare(c, TRNC_REC_MARKER);

	if (code)
		return code;
	command_hand_out(c);
	free(t->owned);
	return blocking ? queue_finish(c->queue) : CL_SUCCESS;
}

cl_int image_transfer_box(struct command *c, cl_mem mem, const struct image_box *box, struct transfer *t, bool blocking)
{
	memcpy(t->region, box->region, sizeof(t->region));
	t->buffer = mem->bytes + box->offset;
	t->buffer_row = box->row;
	t->buffer_slice = box->slice;
	if (!box->span)
		return transfer_nothing(c, t, blocking);
	if (!mem->image->is_own)
		return transfer_enqueue(c, image_is_of_buffer(mem) ? mem->parent : mem, box->offset, t, blocking);
	return t->to_host ? read_own(c, mem, box, t, blocking) : write_own(c, mem, box, t, blocking);
}

/* What the flags of the image and of what it lies over forbid the program. */
static bool is_forbidden(cl_mem mem, bool is_read)
{
	cl_mem_flags flags = mem->flags | (image_is_of_buffer(mem) ? mem->parent->flags & CL_MEM_HOST_NO_ACCESS : 0);

	return flags & (CL_MEM_HOST_NO_ACCESS | (is_read ? CL_MEM_HOST_WRITE_ONLY : CL_MEM_HOST_READ_ONLY));
}

static cl_int check(cl_command_queue queue, const struct image_request *q)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!IS_MEM(q->mem))
		return CL_INVALID_MEM_OBJECT;
	if (!q->ptr)
		return CL_INVALID_VALUE;
	if (q->mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	return q->mem->image ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
}

/* For PoCL a transfer of a buffer's image is one of the buffer: the program sees that in the event. */
static cl_command_type type_of(const struct image_request *q)
{
	if (!image_is_of_buffer(q->mem))
		return q->type;
	return q->type == CL_COMMAND_READ_IMAGE ? CL_COMMAND_READ_BUFFER : CL_COMMAND_WRITE_BUFFER;
}

cl_int image_transfer(cl_command_queue queue, const struct image_request *q, cl_uint nr_waits, const cl_event *waits,
		      cl_event *event)
{
	struct transfer t = { .host = q->ptr, .to_host = q->type == CL_COMMAND_READ_IMAGE };
	struct image_box box;
	struct command c;
	cl_int code = check(queue, q);

	if (!code)
		code = command_init(&c, queue, type_of(q), nr_waits, waits, event);
	if (code)
		return code;
	if (is_forbidden(q->mem, t.to_host))
		return command_finish(&c, CL_INVALID_OPERATION);
	code = image_box(q->mem, q->origin, q->region, &box);
	if (code)
		return command_finish(&c, code);
	t.host_row = q->row_pitch ? q->row_pitch : box.region[0];
	t.host_slice = q->slice_pitch ? q->slice_pitch : t.host_row * box.region[1];
	return command_finish(&c, image_transfer_box(&c, q->mem, &box, &t, q->blocking));
}

/* ---------------------------------------------------------------- copies */

static bool is_own(cl_mem mem)
{
	return mem->image && mem->image->is_own;
}

cl_int image_check_copy(cl_command_queue queue, struct image_side *image, struct image_side *buffer, const size_t *origin,
			const size_t *region, size_t offset, cl_uint nr_waits, const cl_event *waits)
{
	cl_int code;

	if (!IS_MEM(image->mem) || !IS_MEM(buffer->mem))
		return CL_INVALID_MEM_OBJECT;
	if (!nr_waits != !waits)
		return CL_INVALID_EVENT_WAIT_LIST;
	if (image->mem->context != queue->context || buffer->mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (!origin || !region)
		return CL_INVALID_VALUE;
	if (!image->mem->image || buffer->mem->image || (image_is_of_buffer(image->mem) && image->mem->parent->image))
		return CL_INVALID_MEM_OBJECT;
	code = image_box(image->mem, origin, region, &image->box);
	if (!code && !image->box.span)
		code = image_box_check_empty(&image->box, image->mem->size);
	return code ? code : image_buffer_box(buffer->mem, offset, &image->box, &buffer->box);
}

static cl_int copy_bytes(struct command *c, const struct image_side *src, const struct image_side *dst)
{
	const struct image_box *from = &src->box, *to = &dst->box;
	struct trnc_cmd_copy_rect *rec;
	cl_int code = buffer_announce(src->mem);

	if (!code)
		code = buffer_announce(dst->mem);
	if (!code)
		code = command_begin(c, TRNC_REC_COPY_RECT, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return code;
	rec->src = src->mem->handle;
	rec->dst = dst->mem->handle;
	for (int i = 0; i < 3; i++) {
		rec->src_origin[i] = from->origin[i];
		rec->dst_origin[i] = to->origin[i];
		rec->region[i] = from->region[i];
	}
	rec->src_row_pitch = from->row;
	rec->src_slice_pitch = from->slice;
	rec->dst_row_pitch = to->row;
	rec->dst_slice_pitch = to->slice;
	command_end(c);
	shadow_mark(dst->mem, c->queue);
	return CL_SUCCESS;
}

static cl_int copy_and_store(struct command *c, const struct image_side *src, const struct image_side *dst)
{
	struct command step;
	cl_event copied;
	cl_int code;

	command_step_init(&step, c, &copied);
	code = command_finish(&step, copy_bytes(&step, src, dst));
	if (code)
		return code;
	command_wait_only_for(c, copied);
	code = image_store(c, dst->mem, &dst->box.pixels, false);
	clReleaseEvent(copied);
	return code;
}

cl_int image_copy(struct command *c, const struct image_side *src, const struct image_side *dst)
{
	struct transfer nothing = { 0 };
	cl_event fetched = NULL;
	cl_int code = CL_SUCCESS;

	if (!src->box.region[0] || !src->box.region[1] || !src->box.region[2])
		return transfer_nothing(c, &nothing, false);
	if (is_own(src->mem))
		code = image_fetch_first(c, src->mem, &src->box.pixels, &fetched);
	if (!code)
		code = is_own(dst->mem) ? copy_and_store(c, src, dst) : copy_bytes(c, src, dst);
	if (fetched)
		clReleaseEvent(fetched);
	return code;
}
