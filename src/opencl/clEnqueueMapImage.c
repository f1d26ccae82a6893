/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"
#include "opencl/map.h"

static bool has_slices(cl_mem image)
{
	return image->type == CL_MEM_OBJECT_IMAGE3D || image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ||
	       image->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
}

/* PoCL lets a read-only image be invalidated. */
static bool is_forbidden(cl_mem image, cl_map_flags flags)
{
	if (flags & CL_MAP_READ && image->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return true;
	return flags & CL_MAP_WRITE && image->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS);
}

/* After the events, in PoCL's order. */
static cl_int check(cl_mem image, cl_map_flags flags, const size_t *origin, const size_t *region, const size_t *row_pitch,
		    const size_t *slice_pitch, struct image_box *box)
{
	cl_int code;

	if (!row_pitch)
		return CL_INVALID_VALUE;
	code = image_box(image, origin, region, box);
	if (code)
		return code;
	if (!box->span || (has_slices(image) && !slice_pitch))
		return CL_INVALID_VALUE;
	return is_forbidden(image, flags) ? CL_INVALID_OPERATION : CL_SUCCESS;
}

static void *map(struct command *c, cl_mem image, bool blocking, cl_map_flags flags, const struct image_box *box,
		 cl_int *errcode_ret)
{
	const struct map_request request = {
		.mem = image,
		.blocking = blocking,
		.flags = flags,
		.offset = box->offset,
		.size = box->span,
		.box = box,
	};

	return map_command(c, &request, errcode_ret);
}

/* PoCL maps the buffer that the image is of. The pitches are told all the same. */
static void *map_parent(cl_command_queue queue, cl_mem image, bool blocking, cl_map_flags flags, const size_t *origin,
			const size_t *region, cl_uint nr_waits, const cl_event *waits, cl_event *event,
			cl_int *errcode_ret)
{
	size_t pixel = image->image->element_size, offset, size;

	if (!origin || !region || __builtin_mul_overflow(origin[0], pixel, &offset) ||
	    __builtin_mul_overflow(region[0], pixel, &size))
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	return clEnqueueMapBuffer(queue, image->parent, blocking, flags, offset, size, nr_waits, waits, event, errcode_ret);
}

CL_API_ENTRY void *CL_API_CALL clEnqueueMapImage(cl_command_queue queue, cl_mem image, cl_bool blocking_map,
						 cl_map_flags map_flags, const size_t *origin, const size_t *region,
						 size_t *row_pitch, size_t *slice_pitch, cl_uint nr_waits,
						 const cl_event *waits, cl_event *event, cl_int *errcode_ret)
{
	struct image_box box;
	struct command c;
	cl_int code;
	void *ptr;

	if (!IS_QUEUE(queue))
		return fail_with(errcode_ret, CL_INVALID_COMMAND_QUEUE);
	code = mem_check_any(image, queue);
	if (!code && !image->image)
		code = CL_INVALID_MEM_OBJECT;
	if (code)
		return fail_with(errcode_ret, code);
	if (image_is_of_buffer(image)) {
		ptr = map_parent(queue, image, blocking_map, map_flags, origin, region, nr_waits, waits, event,
				 errcode_ret);
	} else {
		code = command_init(&c, queue, CL_COMMAND_MAP_IMAGE, nr_waits, waits, event);
		if (code)
			return fail_with(errcode_ret, code);
		code = check(image, map_flags, origin, region, row_pitch, slice_pitch, &box);
		if (code)
			return fail_with(errcode_ret, command_finish(&c, code));
		ptr = map(&c, image, blocking_map, map_flags, &box, errcode_ret);
	}
	if (ptr && row_pitch)
		*row_pitch = image->image->row_pitch;
	if (ptr && slice_pitch)
		*slice_pitch = image->image->slice_pitch;
	return ptr;
}
