/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/image.h"

/* The filled box as the program's memory would have it, tight. NULL without memory. */
static uint8_t *make_pixels(cl_mem image, const void *color, const struct image_box *box)
{
	size_t pixel_size = image->image->element_size;
	size_t size = box->region[0] * box->region[1] * box->region[2];
	uint8_t pixel[16] = { 0 }, *pixels = malloc(size);

	if (!pixels)
		return NULL;
	image_pack(&image->image->format, color, pixel);
	for (size_t at = 0; at < size; at += pixel_size)
		memcpy(pixels + at, pixel, pixel_size);
	return pixels;
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
	code = mem_check_image(image, queue);
	if (code)
		return code;
	if (!color)
		return CL_INVALID_VALUE;
	code = image_box(image, origin, region, &box);
	if (!code)
		code = command_init(&c, queue, CL_COMMAND_FILL_IMAGE, nr_waits, waits, event);
	if (code)
		return code;
	t.owned = make_pixels(image, color, &box);
	if (!t.owned)
		return command_finish(&c, CL_OUT_OF_HOST_MEMORY);
	t.host = t.owned;
	memcpy(t.region, box.region, sizeof(t.region));
	t.buffer = image->bytes + box.offset;
	t.buffer_row = box.row;
	t.buffer_slice = box.slice;
	t.host_row = t.region[0];
	t.host_slice = t.region[0] * t.region[1];
	code = transfer_enqueue(&c, image, box.offset, &t, false);
	if (code)
		free(t.owned);
	return command_finish(&c, code);
}
