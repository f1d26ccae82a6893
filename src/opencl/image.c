/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/range.h"
#include "opencl/buffer.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
#define OTHER_FLAGS                                                                                     \
	(CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS | CL_MEM_USE_HOST_PTR | \
	 CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)

/* --------------------------------------------------------------- formats */

/* One IMAGE_FORMATS item: u32 type, u32 0, u64 flags, formats. */
struct formats_head {
	uint32_t type, reserved;
	uint64_t flags;
};

const cl_image_format *image_formats(cl_context ctx, cl_mem_flags flags, cl_mem_object_type type, size_t *ret_nr)
{
	cl_mem_flags access = flags & (ACCESS_FLAGS | CL_MEM_KERNEL_READ_AND_WRITE);
	struct base_blob_reader r;
	struct base_blob_item it;
	struct formats_head head;
	const void *blob;
	size_t len;

	*ret_nr = 0;
	/* Elsewhere images would have memory of their own, and transfers. */
	if (!ctx->coherent || client_device_probe(ctx->device->client, &blob, &len, NULL))
		return NULL;
	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it)) {
		if (it.tag != TRNC_TAG_IMAGE_FORMATS || it.len < sizeof(head))
			continue;
		memcpy(&head, it.data, sizeof(head));
		if (head.type != type || head.flags != (access ? access : CL_MEM_READ_WRITE))
			continue;
		*ret_nr = (it.len - sizeof(head)) / sizeof(cl_image_format);
		return (const cl_image_format *)(const void *)(it.data + sizeof(head));
	}
	return NULL;
}

static bool has_format(cl_context ctx, cl_mem_flags flags, cl_mem_object_type type, const cl_image_format *format)
{
	size_t nr;
	const cl_image_format *list = image_formats(ctx, flags, type, &nr);

	for (size_t i = 0; i < nr; i++)
		if (list[i].image_channel_order == format->image_channel_order &&
		    list[i].image_channel_data_type == format->image_channel_data_type)
			return true;
	return false;
}

/* ----------------------------------------------------------------- shape */

static bool is_array(cl_mem_object_type type)
{
	return type == CL_MEM_OBJECT_IMAGE1D_ARRAY || type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
}

static bool has_height(cl_mem_object_type type)
{
	return type != CL_MEM_OBJECT_IMAGE1D && type != CL_MEM_OBJECT_IMAGE1D_ARRAY;
}

/* Each size within what the device says, and not 0. */
static cl_int check_sizes(cl_device_id d, const cl_image_desc *desc)
{
	cl_mem_object_type type = desc->image_type;
	bool is_3d = type == CL_MEM_OBJECT_IMAGE3D;
	uint64_t width = device_info_u64(d, is_3d ? CL_DEVICE_IMAGE3D_MAX_WIDTH : CL_DEVICE_IMAGE2D_MAX_WIDTH);
	uint64_t height = device_info_u64(d, is_3d ? CL_DEVICE_IMAGE3D_MAX_HEIGHT : CL_DEVICE_IMAGE2D_MAX_HEIGHT);

	if (!desc->image_width || (has_height(type) && !desc->image_height) || (is_3d && !desc->image_depth) ||
	    (is_array(type) && !desc->image_array_size))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (desc->image_width > width || (has_height(type) && desc->image_height > height))
		return CL_INVALID_IMAGE_SIZE;
	if (is_3d && desc->image_depth > device_info_u64(d, CL_DEVICE_IMAGE3D_MAX_DEPTH))
		return CL_INVALID_IMAGE_SIZE;
	if (is_array(type) && desc->image_array_size > device_info_u64(d, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE))
		return CL_INVALID_IMAGE_SIZE;
	return CL_SUCCESS;
}

static cl_int set_pitches(struct image *img, const cl_image_desc *desc, const void *host_ptr, size_t *ret_size)
{
	cl_mem_object_type type = desc->image_type;
	size_t tight = img->width * img->element_size, rows, plane;

	if (!host_ptr && (desc->image_row_pitch || desc->image_slice_pitch))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	img->row_pitch = desc->image_row_pitch ? desc->image_row_pitch : tight;
	if (img->row_pitch < tight || img->row_pitch % img->element_size)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	rows = has_height(type) ? img->height : 1;
	if (__builtin_mul_overflow(img->row_pitch, rows, &plane))
		return CL_INVALID_IMAGE_SIZE;
	*ret_size = plane;
	if (type != CL_MEM_OBJECT_IMAGE3D && !is_array(type))
		return CL_SUCCESS;
	img->slice_pitch = desc->image_slice_pitch ? desc->image_slice_pitch : plane;
	if (img->slice_pitch < plane || img->slice_pitch % img->row_pitch)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (__builtin_mul_overflow(img->slice_pitch, is_array(type) ? img->array_size : img->depth, ret_size))
		return CL_INVALID_IMAGE_SIZE;
	return CL_SUCCESS;
}

static cl_int check_type(const cl_image_desc *desc)
{
	switch (desc->image_type) {
	case CL_MEM_OBJECT_IMAGE1D:
	case CL_MEM_OBJECT_IMAGE2D:
	case CL_MEM_OBJECT_IMAGE3D:
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		break;
	default: /* images of other objects' bytes are not there yet */
		return CL_INVALID_IMAGE_DESCRIPTOR;
	}
	if (desc->num_mip_levels || desc->num_samples || desc->mem_object)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	return CL_SUCCESS;
}

static cl_int check(cl_context ctx, cl_mem_flags flags, const cl_image_format *format, const cl_image_desc *desc)
{
	cl_int code;

	if (!IS_CONTEXT(ctx))
		return CL_INVALID_CONTEXT;
	if (!format)
		return CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	if (!desc)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (!device_info_u64(ctx->device, CL_DEVICE_IMAGE_SUPPORT))
		return CL_INVALID_OPERATION;
	code = buffer_check_flags(flags, ACCESS_FLAGS | OTHER_FLAGS | CL_MEM_KERNEL_READ_AND_WRITE);
	if (!code)
		code = check_type(desc);
	if (!code && !image_element_size(format))
		code = CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	if (!code)
		code = check_sizes(ctx->device, desc);
	if (!code && !has_format(ctx, flags, desc->image_type, format))
		code = CL_IMAGE_FORMAT_NOT_SUPPORTED;
	return code;
}

/* ------------------------------------------------------------------ life */

static cl_int write_create_record(cl_mem mem)
{
	const struct image *img = mem->image;
	struct client_context *client = mem->context->client;
	struct trnc_rec_image_create *rec;
	int r = client_rec_begin(client, TRNC_REC_IMAGE_CREATE, sizeof(*rec), (void **)&rec);

	if (r)
		return cl_error_from(r);
	rec->image = img->handle;
	rec->buffer = mem->handle;
	rec->flags = mem->flags & ACCESS_FLAGS;
	rec->order = img->format.image_channel_order;
	rec->data_type = img->format.image_channel_data_type;
	rec->type = mem->type;
	rec->width = img->width;
	rec->height = img->height ? img->height : 1;
	rec->depth = img->depth ? img->depth : 1;
	rec->array_size = img->array_size ? img->array_size : 1;
	rec->row_pitch = img->row_pitch;
	rec->slice_pitch = img->slice_pitch;
	client_rec_end(client);
	return CL_SUCCESS;
}

static cl_int make_image(cl_mem mem, cl_mem_object_type type, const struct image *img)
{
	cl_int code = CL_OUT_OF_HOST_MEMORY;

	mem->image = malloc(sizeof(*mem->image));
	if (!mem->image)
		return code;
	*mem->image = *img;
	mem->type = type;
	mem->image->handle = client_handle_new(mem->context->client, CLIENT_IMAGE);
	if (mem->image->handle)
		code = write_create_record(mem);
	if (code) {
		client_handle_free(mem->context->client, CLIENT_IMAGE, mem->image->handle);
		free(mem->image);
		mem->image = NULL;
	}
	return code;
}

cl_mem image_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags,
		    const cl_image_format *format, const cl_image_desc *desc, void *host_ptr, cl_int *errcode_ret)
{
	cl_int code = check(ctx, flags, format, desc);
	struct image img = { 0 };
	size_t size = 0;
	cl_mem mem;

	if (code)
		return fail_with(errcode_ret, code);
	img.format = *format;
	img.element_size = image_element_size(format);
	img.width = desc->image_width;
	img.height = has_height(desc->image_type) ? desc->image_height : 0;
	img.depth = desc->image_type == CL_MEM_OBJECT_IMAGE3D ? desc->image_depth : 0;
	img.array_size = is_array(desc->image_type) ? desc->image_array_size : 0;
	code = set_pitches(&img, desc, host_ptr, &size);
	if (code)
		return fail_with(errcode_ret, code);
	mem = buffer_create(ctx, properties, flags & ~(cl_mem_flags)CL_MEM_KERNEL_READ_AND_WRITE, size, host_ptr, &code);
	if (!mem)
		return fail_with(errcode_ret, code == CL_INVALID_BUFFER_SIZE ? CL_INVALID_IMAGE_SIZE : code);
	mem->flags = flags;
	code = make_image(mem, desc->image_type, &img);
	if (code) {
		clReleaseMemObject(mem);
		return fail_with(errcode_ret, code);
	}
	fail_with(errcode_ret, CL_SUCCESS);
	return mem;
}

void image_destroy(cl_mem mem)
{
	struct client_context *client = mem->context->client;
	struct trnc_rec_object *rec;

	/* A lost context has nothing left to destroy. */
	if (client_rec_begin(client, TRNC_REC_IMAGE_DESTROY, sizeof(*rec), (void **)&rec) == 0) {
		rec->handle = mem->image->handle;
		client_rec_end(client);
	}
	client_handle_free(client, CLIENT_IMAGE, mem->image->handle);
	free(mem->image);
	mem->image = NULL;
}

/* ------------------------------------------------------------- transfers */

cl_int image_box(cl_mem mem, const size_t *origin, const size_t *region, struct image_box *ret)
{
	const struct image *img = mem->image;
	bool layers_are_rows = mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
	size_t sizes[3] = { img->width, 1, 1 };

	if (!origin || !region)
		return CL_INVALID_VALUE;
	if (img->height)
		sizes[1] = img->height;
	if (layers_are_rows)
		sizes[1] = img->array_size;
	else if (img->array_size)
		sizes[2] = img->array_size;
	if (img->depth)
		sizes[2] = img->depth;
	for (int i = 0; i < 3; i++) {
		if (!region[i] || !base_range_is_within(origin[i], region[i], sizes[i]))
			return CL_INVALID_VALUE;
		ret->origin[i] = origin[i];
		ret->region[i] = region[i];
	}
	ret->origin[0] *= img->element_size;
	ret->region[0] *= img->element_size;
	ret->row = layers_are_rows ? img->slice_pitch : img->row_pitch;
	ret->slice = img->slice_pitch && !layers_are_rows ? img->slice_pitch : ret->row * sizes[1];
	ret->offset = ret->origin[2] * ret->slice + ret->origin[1] * ret->row + ret->origin[0];
	ret->span = (region[2] - 1) * ret->slice + (region[1] - 1) * ret->row + ret->region[0];
	return CL_SUCCESS;
}

/* The pitches of the program's side; 0 means tight. */
static cl_int set_host_pitches(cl_mem mem, struct transfer *t, size_t row, size_t slice)
{
	if (mem->type == CL_MEM_OBJECT_IMAGE1D_ARRAY)
		row = slice ? slice : row; /* layers are the rows */
	t->host_row = row ? row : t->region[0];
	if (t->host_row < t->region[0])
		return CL_INVALID_VALUE;
	t->host_slice = mem->type != CL_MEM_OBJECT_IMAGE1D_ARRAY && slice ? slice : t->host_row * t->region[1];
	return t->host_slice < t->host_row * t->region[1] ? CL_INVALID_VALUE : CL_SUCCESS;
}

cl_int image_transfer(cl_command_queue queue, cl_command_type type, cl_mem mem, bool blocking, const size_t *origin,
		      const size_t *region, size_t row_pitch, size_t slice_pitch, void *ptr, cl_uint nr_waits,
		      const cl_event *waits, cl_event *event)
{
	struct transfer t = { .host = ptr, .to_host = type == CL_COMMAND_READ_IMAGE };
	struct image_box box;
	struct command c;
	cl_int code;

	if (!ptr)
		return CL_INVALID_VALUE;
	code = image_box(mem, origin, region, &box);
	if (code)
		return code;
	memcpy(t.region, box.region, sizeof(t.region));
	t.buffer = mem->bytes + box.offset;
	t.buffer_row = box.row;
	t.buffer_slice = box.slice;
	code = set_host_pitches(mem, &t, row_pitch, slice_pitch);
	if (!code)
		code = command_init(&c, queue, type, nr_waits, waits, event);
	if (code)
		return code;
	return command_finish(&c, transfer_enqueue(&c, mem, box.offset, &t, blocking));
}

cl_int image_buffer_box(cl_mem buffer, size_t offset, const struct image_box *image, struct image_box *ret)
{
	*ret = (struct image_box){ .origin = { offset, 0, 0 }, .row = image->region[0] };
	ret->slice = ret->row * image->region[1];
	return mem_check_range(buffer, offset, ret->slice * image->region[2]);
}

cl_int image_copy(cl_command_queue queue, cl_command_type type, cl_mem src, const struct image_box *from, cl_mem dst,
		  const struct image_box *to, cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	struct trnc_cmd_copy_rect *rec;
	struct command c;
	cl_int code = command_init(&c, queue, type, nr_waits, waits, event);

	if (code)
		return code;
	code = command_begin(&c, TRNC_REC_COPY_RECT, sizeof(*rec), 0, (void **)&rec, NULL);
	if (code)
		return command_finish(&c, code);
	rec->src = src->handle;
	rec->dst = dst->handle;
	for (int i = 0; i < 3; i++) {
		rec->src_origin[i] = from->origin[i];
		rec->dst_origin[i] = to->origin[i];
		rec->region[i] = from->region[i];
	}
	rec->src_row_pitch = from->row;
	rec->src_slice_pitch = from->slice;
	rec->dst_row_pitch = to->row;
	rec->dst_slice_pitch = to->slice;
	command_end(&c);
	shadow_mark(dst, queue);
	return command_finish(&c, CL_SUCCESS);
}
