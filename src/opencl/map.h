/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_MAP_H
#define OPENCL_MAP_H

#include "opencl/objects.h"

struct map_request {
	cl_mem mem; /* of the queue's context */
	cl_command_type type;
	bool blocking;
	cl_map_flags flags; /* checked by map_enqueue() */
	size_t offset, size; /* bytes of the buffer, or of an image from its box's first pixel to its last; checked */
};

/* clEnqueueMapBuffer and clEnqueueMapImage, after the checks of the queue, the object and the place. */
void *map_enqueue(cl_command_queue queue, const struct map_request *q, cl_uint nr_waits, const cl_event *waits,
		  cl_event *event, cl_int *errcode_ret);

#endif
