/* SPDX-License-Identifier: MIT */
#include "opencl/image.h"

CL_API_ENTRY cl_mem CL_API_CALL clCreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *format,
						size_t width, size_t height, size_t depth, size_t row_pitch,
						size_t slice_pitch, void *host_ptr, cl_int *errcode_ret)
{
	const cl_image_desc desc = {
		.image_type = CL_MEM_OBJECT_IMAGE3D,
		.image_width = width,
		.image_height = height,
		.image_depth = depth,
		.image_row_pitch = row_pitch,
		.image_slice_pitch = slice_pitch,
	};

	return image_create(context, NULL, flags, format, &desc, host_ptr, errcode_ret);
}
