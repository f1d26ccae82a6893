/* SPDX-License-Identifier: MIT */
#include "executor/image.h"

#include <errno.h>

#include "executor/decode.h"

/* The host's own idea of the pitches must be the record's: it knows the pixels' size, we checked the buffer's. */
static int32_t check_pitches(struct exec_host *h, cl_mem image, const struct trnc_rec_image_create *r)
{
	bool has_slices = r->slice_pitch != 0;
	size_t row = 0, slice = 0, pixel = 0;
	cl_int err;

	err = h->GetImageInfo(image, CL_IMAGE_ELEMENT_SIZE, sizeof(pixel), &pixel, NULL);
	if (!err)
		err = h->GetImageInfo(image, CL_IMAGE_ROW_PITCH, sizeof(row), &row, NULL);
	if (!err && has_slices)
		err = h->GetImageInfo(image, CL_IMAGE_SLICE_PITCH, sizeof(slice), &slice, NULL);
	if (err)
		return err;
	/* A single row has no next one: a host may take the pitch as it likes, if that is in the buffer. */
	if (r->type == CL_MEM_OBJECT_IMAGE1D ? row > r->row_pitch : row != r->row_pitch)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (pixel == 0 || r->width > r->row_pitch / pixel || (has_slices && slice != r->slice_pitch))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	return CL_SUCCESS;
}

static cl_mem create_on_host(struct exec_context *c, const struct exec_buffer *buffer,
			     const struct trnc_rec_image_create *r, int32_t *ret_err)
{
	const cl_image_format format = { .image_channel_order = r->order, .image_channel_data_type = r->data_type };
	const cl_image_desc desc = {
		.image_type = r->type, .image_width = r->width, .image_height = r->height,
		.image_depth = r->depth, .image_array_size = r->array_size,
		.image_row_pitch = r->row_pitch, .image_slice_pitch = r->slice_pitch,
	};
	struct exec_host *h = &c->ex->host;
	cl_mem image;

	image = h->CreateImage(c->host, r->flags | CL_MEM_USE_HOST_PTR, &format, &desc, buffer->addr, ret_err);
	if (!image)
		return NULL;
	*ret_err = check_pitches(h, image, r);
	if (*ret_err == CL_SUCCESS)
		return image;
	h->ReleaseMemObject(image);
	return NULL;
}

int32_t exec_image_create(struct exec_context *c, const struct trnc_rec_image_create *r)
{
	struct exec_buffer *buffer = exec_buffer_get(c, r->buffer), *image;
	int32_t err = CL_SUCCESS;
	uint64_t end;
	cl_mem host;
	int ret;

	/* Elsewhere the host has the bytes in memory of its own, and an image would be another copy. */
	if (!c->ex->coherent || !c->ex->host.CreateImage || !c->ex->host.GetImageInfo)
		return CL_INVALID_OPERATION;
	if (!buffer || buffer->parent)
		return CL_INVALID_MEM_OBJECT;
	if (!exec_decode_image_end(r, &end) || end > buffer->size)
		return CL_INVALID_IMAGE_SIZE;
	host = create_on_host(c, buffer, r, &err);
	if (!host)
		return err ? err : CL_OUT_OF_RESOURCES;
	err = exec_buffer_new_over(c, buffer, host, r->flags, &image);
	if (err)
		return err;
	ret = base_handles_add(&c->images, r->image, image);
	if (ret < 0) {
		exec_buffer_unref(c, image);
		return ret == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE;
	}
	return CL_SUCCESS;
}

int32_t exec_image_destroy(struct exec_context *c, uint64_t handle)
{
	struct exec_buffer *image = base_handles_remove(&c->images, handle);

	if (!image)
		return CL_INVALID_MEM_OBJECT;
	c->buffers_gone++;
	exec_buffer_unref(c, image);
	return CL_SUCCESS;
}

struct exec_buffer *exec_image_get(struct exec_context *c, uint64_t handle)
{
	return base_handles_get(&c->images, handle);
}

void exec_images_release_all(struct exec_context *c)
{
	struct exec_buffer *image;
	uint32_t pos = 0;

	while ((image = base_handles_next(&c->images, &pos)))
		exec_buffer_unref(c, image);
	base_handles_finish(&c->images);
}
