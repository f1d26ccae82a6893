/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/image.h"

/* One row of the filled box: it is copied to all. NULL without memory. */
static uint8_t *make_row(cl_mem image, const void *color, const struct image_box *box)
{
	size_t pixel_size = image->image->element_size, size = box->region[0];
	uint8_t pixel[16] = { 0 }, *row = malloc(size ? size : 1);

	if (!row)
		return NULL;
	image_pack(&image->image->format, color, pixel);
	for (size_t at = 0; at < size; at += pixel_size)
		memcpy(row + at, pixel, pixel_size);
	return row;
}

static cl_int check(cl_command_queue queue, cl_mem image, const void *color, const size_t *origin, const size_t *region,
		    struct image_box *box)
{
	if (!IS_MEM(image))
		return CL_INVALID_MEM_OBJECT;
	if (!origin || !region || !color)
		return CL_INVALID_VALUE;
	if (image->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (!image->image || (image_is_of_buffer(image) && image->parent->image))
		return CL_INVALID_MEM_OBJECT;
	return image_box(image, origin, region, box);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void *color,
						   const size_t *origin, const size_t *region, cl_uint nr_waits,
						   const cl_event *waits, cl_event *event)
{
	struct transfer t = { 0 };
	struct image_box box;
	struct command c;
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	code = command_init(&c, queue, CL_COMMAND_FILL_IMAGE, nr_waits, waits, event);
	if (code)
		return code;
	code = check(queue, image, color, origin, region, &box);
	if (code)
		return command_finish(&c, code);
	if (image_is_of_buffer(image))
		c.type = CL_COMMAND_FILL_BUFFER; /* it is one of the buffer, as in PoCL */
	t.owned = make_row(image, color, &box);
	if (!t.owned)
		return command_finish(&c, CL_OUT_OF_HOST_MEMORY);
	t.host = t.owned;
	t.host_row = t.host_slice = 0;
	code = image_transfer_box(&c, image, &box, &t, false);
	if (code)
		free(t.owned);
	return command_finish(&c, code);
}
