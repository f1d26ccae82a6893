/* SPDX-License-Identifier: MIT */
/* The making and ending of images. */
#include "opencl/image.h"

#include <stdlib.h>
#include <string.h>

#include "opencl/buffer.h"
#include "opencl/device.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
#define HOST_FLAGS (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)
#define KNOWN_FLAGS (((cl_mem_flags)1 << 10) - 1) /* as far as PoCL looks: one of them means nothing */
#define POINTER_FLAGS (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR)

/* ----------------------------------------------------------------- shape */

static bool is_array(cl_mem_object_type type)
{
	return type == CL_MEM_OBJECT_IMAGE1D_ARRAY || type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
}

static bool has_height(cl_mem_object_type type)
{
	return type == CL_MEM_OBJECT_IMAGE2D || type == CL_MEM_OBJECT_IMAGE2D_ARRAY || type == CL_MEM_OBJECT_IMAGE3D;
}

static bool is_type(cl_mem_object_type type)
{
	return has_height(type) || is_array(type) || type == CL_MEM_OBJECT_IMAGE1D || type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
}

static bool fits_device(cl_device_id d, const cl_image_desc *desc)
{
	cl_mem_object_type type = desc->image_type;
	bool is_3d = type == CL_MEM_OBJECT_IMAGE3D;

	if (!device_info_u64(d, CL_DEVICE_IMAGE_SUPPORT))
		return false;
	if (type == CL_MEM_OBJECT_IMAGE1D_BUFFER)
		return desc->image_width <= device_info_u64(d, CL_DEVICE_IMAGE_MAX_BUFFER_SIZE);
	if (desc->image_width > device_info_u64(d, is_3d ? CL_DEVICE_IMAGE3D_MAX_WIDTH : CL_DEVICE_IMAGE2D_MAX_WIDTH))
		return false;
	if (has_height(type) && desc->image_height > device_info_u64(d, is_3d ? CL_DEVICE_IMAGE3D_MAX_HEIGHT :
											CL_DEVICE_IMAGE2D_MAX_HEIGHT))
		return false;
	if (is_3d && desc->image_depth > device_info_u64(d, CL_DEVICE_IMAGE3D_MAX_DEPTH))
		return false;
	return !is_array(type) || desc->image_array_size <= device_info_u64(d, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE);
}

static bool has_format(cl_context ctx, const cl_image_format *format, cl_mem_object_type type)
{
	size_t nr;
	const cl_image_format *list = image_formats(ctx, CL_MEM_READ_WRITE, type, &nr);

	for (size_t i = 0; i < nr; i++)
		if (list[i].image_channel_order == format->image_channel_order &&
		    list[i].image_channel_data_type == format->image_channel_data_type)
			return true;
	return false;
}

/* Where PoCL takes the pitches and later goes past the image's end or divides by 0. */
static bool is_pitch_wrong(const struct image *img, const cl_image_desc *desc)
{
	size_t tight = img->width * img->element_size;
	bool has_slices = desc->image_type == CL_MEM_OBJECT_IMAGE3D || desc->image_type == CL_MEM_OBJECT_IMAGE2D_ARRAY;

	if (img->row_pitch < tight)
		return true;
	return has_slices && img->slice_pitch / img->row_pitch < img->height;
}

static cl_int set_pitches(struct image *img, const cl_image_desc *desc, size_t *ret_size)
{
	cl_mem_object_type type = desc->image_type;
	size_t times = 1;

	img->row_pitch = desc->image_row_pitch ? desc->image_row_pitch : img->width * img->element_size;
	if (img->row_pitch % img->element_size)
		return CL_INVALID_VALUE;
	img->slice_pitch = desc->image_slice_pitch;
	if (img->slice_pitch && !img->row_pitch)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (img->slice_pitch && img->slice_pitch % img->row_pitch)
		return CL_INVALID_VALUE;
	if (!img->slice_pitch && (type == CL_MEM_OBJECT_IMAGE3D || is_array(type)) &&
	    __builtin_mul_overflow(img->row_pitch, has_height(type) ? img->height : 1, &img->slice_pitch))
		return CL_INVALID_IMAGE_SIZE;
	if (type == CL_MEM_OBJECT_IMAGE2D)
		times = img->height;
	if (type == CL_MEM_OBJECT_IMAGE3D || is_array(type))
		times = is_array(type) ? img->array_size : img->depth;
	if (__builtin_mul_overflow(type == CL_MEM_OBJECT_IMAGE3D || is_array(type) ? img->slice_pitch : img->row_pitch,
				   times, ret_size))
		return CL_INVALID_IMAGE_SIZE;
	return CL_SUCCESS;
}

static cl_int set_shape(cl_context ctx, const cl_image_format *format, const cl_image_desc *desc, struct image *img,
			size_t *ret_size)
{
	if (!IS_CONTEXT(ctx))
		return CL_INVALID_CONTEXT;
	if (!format)
		return CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	if (!desc || desc->num_mip_levels || desc->num_samples)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (!is_type(desc->image_type))
		return CL_INVALID_VALUE;
	if (!fits_device(ctx->device, desc) || !has_format(ctx, format, desc->image_type))
		return CL_INVALID_OPERATION;
	img->format = *format;
	img->element_size = image_element_size(format);
	if (!img->element_size)
		return CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	img->width = desc->image_width;
	img->height = has_height(desc->image_type) ? desc->image_height : 0;
	img->depth = desc->image_type == CL_MEM_OBJECT_IMAGE3D ? desc->image_depth : 0;
	img->array_size = is_array(desc->image_type) ? desc->image_array_size : 0;
	return set_pitches(img, desc, ret_size);
}

/* ------------------------------------------------------------------ life */

static cl_int write_create_record(cl_mem mem)
{
	bool is_deep = mem->type == CL_MEM_OBJECT_IMAGE3D || is_array(mem->type);
	const struct image *img = mem->image;
	struct client_context *client = mem->context->client;
	struct trnc_rec_image_create *rec;
	cl_int code = buffer_announce(mem);

	if (!code)
		code = cl_error_from(client_rec_begin(client, TRNC_REC_IMAGE_CREATE, sizeof(*rec), (void **)&rec));
	if (code)
		return code;
	rec->image = img->handle;
	rec->buffer = mem->handle;
	rec->flags = mem->flags & ACCESS_FLAGS;
	/* The bytes are there already: an image with memory of its own begins with a copy. */
	if (mem->flags & (CL_MEM_COPY_HOST_PTR | CL_MEM_USE_HOST_PTR))
		rec->flags |= CL_MEM_COPY_HOST_PTR;
	rec->order = img->format.image_channel_order;
	rec->data_type = img->format.image_channel_data_type;
	rec->type = mem->type;
	rec->width = img->width;
	rec->height = img->height ? img->height : 1;
	rec->depth = img->depth ? img->depth : 1;
	rec->array_size = img->array_size ? img->array_size : 1;
	rec->row_pitch = img->row_pitch;
	rec->slice_pitch = is_deep ? img->slice_pitch : 0;
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
		mem->type = CL_MEM_OBJECT_BUFFER;
	}
	return code;
}

static cl_mem_flags inherit_flags(cl_mem_flags parent, cl_mem_flags flags)
{
	cl_mem_flags access = flags & ACCESS_FLAGS, host = flags & HOST_FLAGS;

	return (access ? access : parent & ACCESS_FLAGS) | (host ? host : parent & HOST_FLAGS) | (parent & POINTER_FLAGS);
}

static cl_int check_parent(cl_context ctx, cl_mem parent, const struct image *img, size_t size)
{
	if (!IS_MEM(parent) || parent->parent || parent->size < size)
		return CL_INVALID_MEM_OBJECT;
	if (parent->context != ctx)
		return CL_INVALID_CONTEXT;
	/* PoCL takes an image for its bytes, which here may be elsewhere. */
	if (parent->image && parent->image->is_own)
		return CL_INVALID_MEM_OBJECT;
	return img->width && img->row_pitch >= img->width * img->element_size ? CL_SUCCESS : CL_INVALID_IMAGE_DESCRIPTOR;
}

static cl_mem create_of_buffer(cl_context ctx, cl_mem_flags flags, const cl_image_desc *desc, const struct image *img,
			       size_t size, cl_int *errcode_ret)
{
	cl_mem parent = desc->mem_object, mem;
	cl_int code = check_parent(ctx, parent, img, size);

	if (code)
		return fail_with(errcode_ret, code);
	mem = buffer_alloc(ctx, inherit_flags(parent->flags, flags), size);
	if (!mem)
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	mem->bytes = parent->bytes;
	mem->host_ptr = parent->host_ptr;
	mem->parent = parent;
	code = buffer_announce(parent);
	mem->handle = parent->handle;
	if (!code)
		code = mem->handle ? make_image(mem, desc->image_type, img) : CL_OUT_OF_RESOURCES;
	if (code) {
		buffer_free(mem);
		return fail_with(errcode_ret, code);
	}
	head_ref(&parent->head);
	fail_with(errcode_ret, CL_SUCCESS);
	return mem;
}

static cl_int check_memory(cl_context ctx, cl_mem_flags flags, const cl_image_desc *desc, const struct image *img,
			   size_t size, const void *host_ptr)
{
	cl_int code;

	if (desc->mem_object)
		return CL_INVALID_OPERATION;
	if (!size)
		return CL_INVALID_BUFFER_SIZE;
	code = buffer_check_flags(flags, KNOWN_FLAGS);
	if (code)
		return code;
	if (!host_ptr != !(flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
		return CL_INVALID_HOST_PTR;
	if (size > ctx->device->limits.max_alloc)
		return CL_INVALID_BUFFER_SIZE;
	return is_pitch_wrong(img, desc) ? CL_INVALID_IMAGE_DESCRIPTOR : CL_SUCCESS;
}

/* Its bytes are not where they were: no shadow can be kept up to date without asking the host. */
static void drop_shadow(cl_mem mem)
{
	if (!mem->is_shadow)
		return;
	pthread_mutex_lock(&mem->context->lock);
	base_list_remove(&mem->shadow_node);
	pthread_mutex_unlock(&mem->context->lock);
	mem->is_shadow = false;
}

cl_mem image_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags,
		    const cl_image_format *format, const cl_image_desc *desc, void *host_ptr, cl_int *errcode_ret)
{
	struct image img = { 0 };
	size_t size = 0;
	cl_int code = set_shape(ctx, format, desc, &img, &size);
	cl_mem mem;

	if (code)
		return fail_with(errcode_ret, code);
	if (desc->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER)
		return create_of_buffer(ctx, flags, desc, &img, size, errcode_ret);
	if (!flags)
		flags = CL_MEM_READ_WRITE;
	code = check_memory(ctx, flags, desc, &img, size, host_ptr);
	if (code)
		return fail_with(errcode_ret, code);
	mem = buffer_create(ctx, properties, flags & (ACCESS_FLAGS | HOST_FLAGS | POINTER_FLAGS), size, host_ptr, errcode_ret);
	if (!mem)
		return NULL;
	mem->flags = flags;
	img.is_own = !ctx->coherent;
	if (img.is_own)
		drop_shadow(mem);
	code = make_image(mem, desc->image_type, &img);
	if (code) {
		clReleaseMemObject(mem);
		return fail_with(errcode_ret, code);
	}
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
	if (image_is_of_buffer(mem))
		mem->handle = 0;
}
