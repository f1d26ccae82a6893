/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_MARKER_H
#define OPENCL_MARKER_H

#include "opencl/objects.h"

/* A MARKER or BARRIER record; the queue was checked. */
cl_int marker_enqueue(cl_command_queue queue, cl_command_type type, enum trnc_rec_type rec_type, cl_uint nr_waits,
		      const cl_event *waits, cl_event *event);

#endif
