/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_BUFFER_H
#define OPENCL_BUFFER_H

#include "opencl/objects.h"

/* CL_INVALID_VALUE for unknown flags and for pairs that exclude each other. */
cl_int buffer_check_flags(cl_mem_flags flags, cl_mem_flags allowed);

/* clCreateBuffer and clCreateBufferWithProperties. */
cl_mem buffer_create(cl_context ctx, const cl_mem_properties *properties, cl_mem_flags flags, size_t size,
		     void *host_ptr, cl_int *errcode_ret);

/* An object without handle and memory, or NULL; takes a reference on the context. buffer_free() undoes it. */
cl_mem buffer_alloc(cl_context ctx, cl_mem_flags flags, size_t size);
void buffer_free(cl_mem mem);

/* After the last reference is gone: destructor callbacks, the host's object, the memory. */
void buffer_destroy(cl_mem mem);

#endif
