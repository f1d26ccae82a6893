/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_mem CL_API_CALL clCreateImageWithProperties(cl_context context, const cl_mem_properties *properties,
							    cl_mem_flags flags, const cl_image_format *format,
							    const cl_image_desc *desc, void *host_ptr,
							    cl_int *errcode_ret)
{
	return image_create(context, properties, flags, format, desc, host_ptr, errcode_ret);
}
