/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_QUEUE_H
#define OPENCL_QUEUE_H

#include "opencl/objects.h"

/* The checks that both creating calls share: CL_INVALID_CONTEXT, CL_INVALID_DEVICE. */
cl_int queue_check(cl_context context, cl_device_id device);
/* CL_INVALID_VALUE (unknown bits), CL_INVALID_QUEUE_PROPERTIES (known, but not had here). */
cl_int queue_check_properties(cl_device_id device, cl_command_queue_properties properties);

/* Checked before. @array: nr_array properties as given, closing 0 included, or NULL. */
cl_command_queue queue_create(cl_context context, cl_device_id device, cl_command_queue_properties properties,
			      const cl_queue_properties *array, size_t nr_array, cl_int *ret_error);
/* After the last reference is gone. */
void queue_destroy(cl_command_queue q);

/* At the context's end: its slots go with it. */
void queues_retired_forget(cl_context ctx);

#endif
