/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_MAP_H
#define OPENCL_MAP_H

#include "opencl/image.h"

struct map_request {
	cl_mem mem; /* of the queue's context */
	cl_command_type type; /* for map_enqueue() */
	bool blocking;
	cl_map_flags flags;
	size_t offset, size; /* bytes of the buffer, or of an image from its box's first pixel to its last; checked */
	const struct image_box *box; /* of an image; else NULL */
};

/* The map as the rest of c, after all checks. */
void *map_command(struct command *c, const struct map_request *q, cl_int *errcode_ret);
/* clEnqueueMapBuffer, after the checks of the queue, the object and the place. */
void *map_enqueue(cl_command_queue queue, const struct map_request *q, cl_uint nr_waits, const cl_event *waits,
		  cl_event *event, cl_int *errcode_ret);

#endif
