/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

cl_int info_return_str(const char *value, size_t cap, void *dst, size_t *size_ret)
{
	return info_return(value, strlen(value) + 1, cap, dst, size_ret);
}
