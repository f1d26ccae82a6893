/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/export.h"
#include "opencl/extension_functions.h"
#include "opencl/objects.h"

void *extension_function(const char *name)
{
	static const struct {
		const char *name;
		void *fn;
	} table[] = {
		/* Both loaders begin with these two. */
		{ "clIcdGetPlatformIDsKHR", (void *)clIcdGetPlatformIDsKHR },
		{ "clGetPlatformInfo", (void *)clGetPlatformInfo },
		/* cl_khr_il_program */
		{ "clCreateProgramWithILKHR", (void *)clCreateProgramWithIL },
	};

	for (size_t i = 0; name && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].fn;
	return NULL;
}

EXPORT CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *func_name)
{
	return extension_function(func_name);
}
