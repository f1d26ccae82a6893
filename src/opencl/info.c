/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/objects.h"

cl_int info_return(const void *value, size_t size, size_t cap, void *dst, size_t *size_ret)
{
	/* A size is not given beside an error: so PoCL, and so the outputs stay untouched. */
	if (dst && cap < size)
		return CL_INVALID_VALUE;
	if (dst && size)
		memcpy(dst, value, size);
	if (size_ret)
		*size_ret = size;
	return CL_SUCCESS;
}

cl_int info_return_str(const char *value, size_t cap, void *dst, size_t *size_ret)
{
	return info_return(value, strlen(value) + 1, cap, dst, size_ret);
}
