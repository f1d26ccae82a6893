/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetImageInfo(cl_mem mem, cl_image_info param_name, size_t cap, void *dst,
					       size_t *size_ret)
{
	static const struct image none;
	const struct image *img;

	if (!IS_MEM(mem))
		return CL_INVALID_MEM_OBJECT;
	/* PoCL answers for buffers, too: nothing but zeros. */
	img = mem->image ? mem->image : &none;
	switch (param_name) {
	case CL_IMAGE_FORMAT:
		return INFO_RETURN(cl_image_format, img->format, cap, dst, size_ret);
	case CL_IMAGE_ELEMENT_SIZE:
		return INFO_RETURN(size_t, img->element_size, cap, dst, size_ret);
	case CL_IMAGE_ROW_PITCH:
		return INFO_RETURN(size_t, img->row_pitch, cap, dst, size_ret);
	case CL_IMAGE_SLICE_PITCH:
		return INFO_RETURN(size_t, img->slice_pitch, cap, dst, size_ret);
	case CL_IMAGE_WIDTH:
		return INFO_RETURN(size_t, img->width, cap, dst, size_ret);
	case CL_IMAGE_HEIGHT:
		return INFO_RETURN(size_t, img->height, cap, dst, size_ret);
	case CL_IMAGE_DEPTH:
		return INFO_RETURN(size_t, img->depth, cap, dst, size_ret);
	case CL_IMAGE_ARRAY_SIZE:
		return INFO_RETURN(size_t, img->array_size, cap, dst, size_ret);
	case CL_IMAGE_BUFFER:
		return INFO_RETURN(cl_mem, mem->image ? mem->parent : NULL, cap, dst, size_ret);
	case CL_IMAGE_NUM_MIP_LEVELS:
	case CL_IMAGE_NUM_SAMPLES:
		return INFO_RETURN(cl_uint, 0, cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
