/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/buffer.h"
#include "opencl/image.h"

CL_API_ENTRY cl_int CL_API_CALL clGetSupportedImageFormats(cl_context context, cl_mem_flags flags,
							   cl_mem_object_type type, cl_uint nr_entries,
							   cl_image_format *formats, cl_uint *ret_nr)
{
	const cl_image_format *list;
	size_t nr;

	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (!nr_entries && formats)
		return CL_INVALID_VALUE;
	if (type < CL_MEM_OBJECT_IMAGE2D || type > CL_MEM_OBJECT_IMAGE1D_BUFFER)
		return CL_INVALID_VALUE;
	list = image_formats(context, flags, type, &nr);
	if (formats && list)
		memcpy(formats, list, (nr < nr_entries ? nr : nr_entries) * sizeof(*formats));
	if (ret_nr)
		*ret_nr = (cl_uint)nr;
	return CL_SUCCESS;
}
