/* SPDX-License-Identifier: MIT */
/*
 * Regions between an image that has memory of its own and its buffer.  The host's calls know buffers without pitches only:
 * what is no run of bytes in the buffer goes through a tight buffer on the host, which lives until the commands are over.
 */
#include "base/range.h"
#include "executor/image.h"

/* A region of an image and of its buffer, for the host's calls. */
struct box {
	cl_mem image, buffer;
	size_t origin[3], region[3]; /* pixels, rows, slices */
	size_t in_buffer[3], bytes[3]; /* bytes, rows, slices */
	size_t row, slice;
};

static const size_t zero[3];

int32_t exec_image_find_region(struct exec_context *c, const struct trnc_cmd_image *r, struct exec_buffer **ret)
{
	struct exec_buffer *image = exec_image_get(c, r->image);

	if (!image)
		return CL_INVALID_MEM_OBJECT;
	if (!image->layout)
		return CL_INVALID_OPERATION;
	for (int i = 0; i < 3; i++)
		if (!base_range_is_within(r->origin[i], r->region[i], image->layout->sizes[i]))
			return CL_INVALID_VALUE;
	*ret = image;
	return CL_SUCCESS;
}

static void fill_box(struct box *b, const struct trnc_cmd_image *r, const struct exec_buffer *image)
{
	const struct exec_image_layout *l = image->layout;

	b->image = image->host;
	b->buffer = image->parent->host;
	for (int i = 0; i < 3; i++) {
		b->origin[i] = b->in_buffer[i] = r->origin[i];
		b->region[i] = b->bytes[i] = r->region[i];
	}
	b->in_buffer[0] *= l->pixel;
	b->bytes[0] *= l->pixel;
	b->row = l->row;
	b->slice = l->slice;
}

static bool is_run(const struct box *b)
{
	if (b->region[2] > 1 && b->region[1] * b->row != b->slice)
		return false;
	return (b->region[1] == 1 && b->region[2] == 1) || b->bytes[0] == b->row;
}

static int32_t fetch(struct exec_host *h, cl_command_queue queue, const struct box *b, cl_mem buffer, size_t at,
		     cl_uint nr_waits, const cl_event *waits, cl_event *ret_event)
{
	return h->EnqueueCopyImageToBuffer(queue, b->image, buffer, b->origin, b->region, at, nr_waits, waits, ret_event);
}

static int32_t store(struct exec_host *h, cl_command_queue queue, const struct box *b, cl_mem buffer, size_t at,
		     cl_uint nr_waits, const cl_event *waits, cl_event *ret_event)
{
	return h->EnqueueCopyBufferToImage(queue, buffer, b->image, at, b->origin, b->region, nr_waits, waits, ret_event);
}

static int32_t fetch_by(struct exec_host *h, cl_command_queue queue, const struct box *b, cl_mem tight, cl_uint nr_waits,
			const cl_event *waits, cl_event *ret_event)
{
	cl_event first;
	int32_t err = fetch(h, queue, b, tight, 0, nr_waits, waits, &first);

	if (err)
		return err;
	err = h->EnqueueCopyBufferRect(queue, tight, b->buffer, zero, b->in_buffer, b->bytes, 0, 0, b->row, b->slice, 1,
				       &first, ret_event);
	h->ReleaseEvent(first);
	return err;
}

static int32_t store_by(struct exec_host *h, cl_command_queue queue, const struct box *b, cl_mem tight, cl_uint nr_waits,
			const cl_event *waits, cl_event *ret_event)
{
	cl_event first;
	int32_t err = h->EnqueueCopyBufferRect(queue, b->buffer, tight, b->in_buffer, zero, b->bytes, b->row, b->slice, 0,
					       0, nr_waits, waits, &first);

	if (err)
		return err;
	err = store(h, queue, b, tight, 0, 1, &first, ret_event);
	h->ReleaseEvent(first);
	return err;
}

int32_t exec_image_move(struct exec_context *c, cl_command_queue queue, const struct trnc_cmd_image *r,
			const struct exec_buffer *image, cl_uint nr_waits, const cl_event *waits, cl_event *ret_event)
{
	bool is_store = r->cmd.rec.type == TRNC_REC_IMAGE_STORE;
	struct exec_host *h = &c->ex->host;
	cl_int err = CL_SUCCESS;
	struct box b;
	cl_mem tight;
	size_t at;

	fill_box(&b, r, image);
	at = b.in_buffer[2] * b.slice + b.in_buffer[1] * b.row + b.in_buffer[0];
	if (is_run(&b))
		return (is_store ? store : fetch)(h, queue, &b, b.buffer, at, nr_waits, waits, ret_event);
	tight = h->CreateBuffer(c->host, CL_MEM_READ_WRITE, b.bytes[0] * b.bytes[1] * b.bytes[2], NULL, &err);
	if (!tight)
		return err;
	err = (is_store ? store_by : fetch_by)(h, queue, &b, tight, nr_waits, waits, ret_event);
	h->ReleaseMemObject(tight);
	return err;
}
