/* SPDX-License-Identifier: MIT */
#include "executor/image.h"

#include <errno.h>
#include <stdlib.h>

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
	if (r->type == CL_MEM_OBJECT_IMAGE1D || r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER ? row > r->row_pitch : row != r->row_pitch)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (pixel == 0 || r->width > r->row_pitch / pixel || (has_slices && slice != r->slice_pitch))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	return CL_SUCCESS;
}

/* Whose memory: the host's buffer's, its own, which begins as the bytes are if that is asked for, or these bytes. */
static cl_mem_flags memory_of(const struct trnc_rec_image_create *r, bool is_own)
{
	if (r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER)
		return 0;
	return is_own ? r->flags & CL_MEM_COPY_HOST_PTR : CL_MEM_USE_HOST_PTR;
}

static cl_mem create_on_host(struct exec_context *c, const struct exec_buffer *buffer,
			     const struct trnc_rec_image_create *r, bool is_own, int32_t *ret_err)
{
	cl_mem_flags memory = memory_of(r, is_own);
	cl_mem_flags flags = (r->flags & ~(uint64_t)CL_MEM_COPY_HOST_PTR) | memory;
	const cl_image_format format = { .image_channel_order = r->order, .image_channel_data_type = r->data_type };
	const cl_image_desc desc = {
		.image_type = r->type, .image_width = r->width, .image_height = r->height,
		.image_depth = r->depth, .image_array_size = r->array_size,
		.image_row_pitch = memory ? r->row_pitch : 0, .image_slice_pitch = memory ? r->slice_pitch : 0,
		.mem_object = r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER ? buffer->host : NULL,
	};
	struct exec_host *h = &c->ex->host;
	cl_mem image;

	image = h->CreateImage(c->host, flags, &format, &desc, memory ? buffer->addr : NULL, ret_err);
	if (!image || is_own)
		return image;
	*ret_err = check_pitches(h, image, r);
	if (*ret_err == CL_SUCCESS)
		return image;
	h->ReleaseMemObject(image);
	return NULL;
}

/* NULL with an error; the record was checked against the buffer. */
static struct exec_image_layout *new_layout(struct exec_host *h, cl_mem image, const struct trnc_rec_image_create *r,
					    int32_t *ret_err)
{
	bool is_lines = r->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
	struct exec_image_layout *l = malloc(sizeof(*l));
	size_t pixel = 0;

	*ret_err = l ? h->GetImageInfo(image, CL_IMAGE_ELEMENT_SIZE, sizeof(pixel), &pixel, NULL) :
		       CL_OUT_OF_HOST_MEMORY;
	/* What moves in one go must not reach past a row: the host does not know our pitches. */
	if (!*ret_err && (pixel == 0 || r->width > r->row_pitch / pixel))
		*ret_err = CL_INVALID_IMAGE_DESCRIPTOR;
	if (*ret_err) {
		free(l);
		return NULL;
	}
	*l = (struct exec_image_layout){
		.sizes = { r->width, is_lines ? r->array_size : r->height, is_lines ? 1 : r->depth * r->array_size },
		.pixel = pixel,
		.row = is_lines ? r->slice_pitch : r->row_pitch,
		.slice = is_lines || !r->slice_pitch ? r->row_pitch * r->height : r->slice_pitch,
	};
	if (is_lines)
		l->slice = l->row * r->array_size;
	return l;
}

static bool has_images(const struct exec_context *c, bool is_own)
{
	const struct exec_host *h = &c->ex->host;

	return h->CreateImage && h->GetImageInfo &&
	       (!is_own || (h->EnqueueCopyImageToBuffer && h->EnqueueCopyBufferToImage));
}

/* The image as an object of ours, consuming the host's. */
static int32_t wrap(struct exec_context *c, struct exec_buffer *buffer, cl_mem host,
		    const struct trnc_rec_image_create *r, bool is_own, struct exec_buffer **ret)
{
	struct exec_image_layout *layout = NULL;
	int32_t err = CL_SUCCESS;

	if (is_own)
		layout = new_layout(&c->ex->host, host, r, &err);
	if (err) {
		c->ex->host.ReleaseMemObject(host);
		return err;
	}
	err = exec_buffer_new_over(c, buffer, host, r->flags, r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER, ret);
	if (err)
		free(layout);
	else
		(*ret)->layout = layout;
	return err;
}

int32_t exec_image_create(struct exec_context *c, const struct trnc_rec_image_create *r)
{
	struct exec_buffer *buffer = exec_buffer_get(c, r->buffer), *image;
	bool is_own = !c->ex->coherent && r->type != CL_MEM_OBJECT_IMAGE1D_BUFFER;
	int32_t err = CL_SUCCESS;
	uint64_t end;
	cl_mem host;
	int ret;

	if (!has_images(c, is_own))
		return CL_INVALID_OPERATION;
	if (!buffer || buffer->parent)
		return CL_INVALID_MEM_OBJECT;
	if (!exec_decode_image_end(r, &end) || end > buffer->size)
		return CL_INVALID_IMAGE_SIZE;
	host = create_on_host(c, buffer, r, is_own, &err);
	if (!host)
		return err ? err : CL_OUT_OF_RESOURCES;
	err = wrap(c, buffer, host, r, is_own, &image);
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
