/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_NDRANGE_H
#define OPENCL_NDRANGE_H

#include "opencl/objects.h"

/* clEnqueueNDRangeKernel and clEnqueueTask, argument checks included. */
cl_int ndrange_enqueue(cl_command_queue queue, cl_kernel kernel, cl_command_type type, cl_uint dims,
		       const size_t *offset, const size_t *global, const size_t *local, cl_uint nr_waits,
		       const cl_event *waits, cl_event *event);

#endif
