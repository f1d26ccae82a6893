/* SPDX-License-Identifier: MIT */
/*
 * Images: a buffer's bytes with a format.  A host that works in place uses the bytes, so every transfer is one of the
 * buffer's: a box of pixels becomes a box of bytes.  Elsewhere the host has the image in memory of its own: a transfer
 * fetches the box from it first, or stores it there afterwards.  An image of a buffer is that buffer in all transfers.
 *
 * The checks and their order are PoCL's; where it would go past an image or end the program, the specification's.
 */
#ifndef OPENCL_IMAGE_H
#define OPENCL_IMAGE_H

#include "opencl/commands.h"

/* clCreateImage, clCreateImageWithProperties and the older calls. */
cl_mem image_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags,
		    const cl_image_format *format, const cl_image_desc *desc, void *host_ptr, cl_int *errcode_ret);

/* Before the buffer goes: the host's image, and ours. */
void image_destroy(cl_mem mem);

/* Over the bytes of a buffer of the program's. */
static inline bool image_is_of_buffer(const struct _cl_mem *mem)
{
	return mem->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
}

/* ---------------------------------------------------------------- formats */

/* The host's formats for a kind of image; NULL when it has none. */
const cl_image_format *image_formats(cl_context ctx, cl_mem_flags flags, cl_mem_object_type type, size_t *ret_nr);

/* Bytes of a pixel; 0 for a format that nobody has. */
size_t image_element_size(const cl_image_format *format);

/* A colour (float[4], int[4] or uint[4], as the format wants) as the bytes of one pixel. */
void image_pack(const cl_image_format *format, const void *color, uint8_t *ret_pixel);

/* ------------------------------------------------------------------ boxes */

/* A box of an image in bytes: for transfers and for records. */
struct image_box {
	size_t origin[3], region[3]; /* bytes, rows, slices */
	size_t row, slice;	     /* pitches */
	size_t offset;		     /* of the first byte */
	size_t span;		     /* from the first byte to behind the last; 0: empty */
	struct image_region pixels;
};

/* CL_INVALID_VALUE when the box is not inside. It may be empty, as in PoCL. */
cl_int image_box(cl_mem mem, const size_t *origin, const size_t *region, struct image_box *ret);

/* PoCL copies nothing where the last byte, counted as if there were one, is inside. CL_INVALID_VALUE elsewhere. */
cl_int image_box_check_empty(const struct image_box *box, size_t size);

/* The place in a buffer for an image's box: tight rows behind the offset. CL_INVALID_VALUE when it is not inside. */
cl_int image_buffer_box(cl_mem buffer, size_t offset, const struct image_box *image, struct image_box *ret);

/* -------------------------------------------------------------- transfers */

/* One of clEnqueueReadImage, clEnqueueWriteImage and clEnqueueFillImage. */
struct image_request {
	cl_mem mem;
	cl_command_type type;
	bool blocking;
	const size_t *origin, *region;
	size_t row_pitch, slice_pitch; /* of the program's memory */
	void *ptr;
};

/* clEnqueueReadImage and clEnqueueWriteImage. */
cl_int image_transfer(cl_command_queue queue, const struct image_request *q, cl_uint nr_waits, const cl_event *waits,
		      cl_event *event);
/* The box and the program's memory as a transfer and into the image, or out of it; the rest of a command. */
cl_int image_transfer_box(struct command *c, cl_mem mem, const struct image_box *box, struct transfer *t, bool blocking);

/* What clEnqueueCopyImage and its kin move. */
struct image_side {
	cl_mem mem; /* an image or a buffer */
	struct image_box box;
};

/* Between an image and a buffer behind the offset: finds the boxes. The queue was checked; the events are looked at last,
 * after the rest. */
cl_int image_check_copy(cl_command_queue queue, struct image_side *image, struct image_side *buffer, const size_t *origin,
			const size_t *region, size_t offset, cl_uint nr_waits, const cl_event *waits);

/* A copy between two boxes of the same region, images or buffers; the rest of a command. */
cl_int image_copy(struct command *c, const struct image_side *src, const struct image_side *dst);

/* Of images with memory of their own: FETCH before the rest of c, which the caller ends before he drops *ret_event. */
cl_int image_fetch_first(struct command *c, cl_mem image, const struct image_region *r, cl_event *ret_event);
/* The last record of c. */
cl_int image_store(struct command *c, cl_mem image, const struct image_region *r, bool blocking);
/* The box between the image's bytes and the program's own memory (USE_HOST_PTR), for maps; the rest of c. */
cl_int image_show(struct command *c, cl_mem image, const struct image_region *r, bool to_host, bool blocking);
/* What ends a map: the box goes to the image if it was for writing; the rest of c. */
cl_int image_unmap(struct command *c, cl_mem image, const struct mapping *m);

#endif
