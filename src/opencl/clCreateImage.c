/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_mem CL_API_CALL clCreateImage(cl_context context, cl_mem_flags flags, const cl_image_format *format,
					      const cl_image_desc *desc, void *host_ptr, cl_int *errcode_ret)
{
	return image_create(context, NULL, flags, format, desc, host_ptr, errcode_ret);
}
