/* SPDX-License-Identifier: MIT */
/*
 * Images: a buffer's bytes with a format, used in place by the host.  Every transfer is one of the buffer's: a box of
 * pixels becomes a box of bytes.
 */
#ifndef OPENCL_IMAGE_H
#define OPENCL_IMAGE_H

#include "opencl/commands.h"

/* clCreateImage, clCreateImageWithProperties and the older calls. */
cl_mem image_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags,
		    const cl_image_format *format, const cl_image_desc *desc, void *host_ptr, cl_int *errcode_ret);

/* Before the buffer goes: the host's image, and ours. */
void image_destroy(cl_mem mem);

/* The host's formats for a kind of image; NULL when it has none. */
const cl_image_format *image_formats(cl_context ctx, cl_mem_flags flags, cl_mem_object_type type, size_t *ret_nr);

/* Bytes of a pixel; 0 for a format that nobody has. */
size_t image_element_size(const cl_image_format *format);

/* A colour (float[4], int[4] or uint[4], as the format wants) as the bytes of one pixel. */
void image_pack(const cl_image_format *format, const void *color, uint8_t *ret_pixel);

/* A box of an image in bytes: for transfers and for records. */
struct image_box {
	size_t origin[3], region[3]; /* bytes, rows, slices */
	size_t row, slice;	     /* pitches */
	size_t offset;		     /* of the first byte */
	size_t span;		     /* from the first byte to behind the last */
};

/* CL_INVALID_VALUE when the box is empty or not inside. */
cl_int image_box(cl_mem mem, const size_t *origin, const size_t *region, struct image_box *ret);

/* clEnqueueReadImage and clEnqueueWriteImage, after the checks of the queue and the flags; pitches of the program's side. */
cl_int image_transfer(cl_command_queue queue, cl_command_type type, cl_mem mem, bool blocking, const size_t *origin,
		      const size_t *region, size_t row_pitch, size_t slice_pitch, void *ptr, cl_uint nr_waits,
		      const cl_event *waits, cl_event *event);

/* The place in a buffer for an image's box: tight rows behind the offset. CL_INVALID_VALUE when it is not inside. */
cl_int image_buffer_box(cl_mem buffer, size_t offset, const struct image_box *image, struct image_box *ret);

/* A copy between two boxes of the same region, images or buffers. */
cl_int image_copy(cl_command_queue queue, cl_command_type type, cl_mem src, const struct image_box *from, cl_mem dst,
		  const struct image_box *to, cl_uint nr_waits, const cl_event *waits, cl_event *event);

#endif
