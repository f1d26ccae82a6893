/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_CONTEXT_H
#define OPENCL_CONTEXT_H

#include "opencl/objects.h"

/* CL_INVALID_PROPERTY (unknown, or twice), CL_INVALID_PLATFORM. NULL is no property. */
cl_int context_check_properties(const cl_context_properties *properties);

/* Connects if needed. NULL: *ret_error says why, and so does notify or stderr in a sentence. */
cl_context context_create(cl_device_id device, const cl_context_properties *properties,
			  void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *notify_data,
			  cl_int *ret_error);
/* After the last reference is gone: calls the destructor callbacks, ends the threads, gives everything back. */
void context_destroy(cl_context ctx);

#endif
