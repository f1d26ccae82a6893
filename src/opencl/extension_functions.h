/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_EXTENSION_FUNCTIONS_H
#define OPENCL_EXTENSION_FUNCTIONS_H

#include "opencl/objects.h"

/* cl_pocl_content_size */
CL_API_ENTRY cl_int CL_API_CALL clSetContentSizeBufferPoCL(cl_mem buffer, cl_mem content_size_buffer);

#endif
