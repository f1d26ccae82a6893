/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/export.h"
#include "opencl/extension_functions.h"
#include "opencl/icd2.h"

/* What loaders begin with, and the one extension whose function PoCL gives here, too. */
static const struct {
	const char *name;
	void *fn;
} functions[] = {
	{ "clIcdGetPlatformIDsKHR", (void *)clIcdGetPlatformIDsKHR },
	{ "clGetPlatformInfo", (void *)clGetPlatformInfo },
	{ "clIcdGetFunctionAddressForPlatformKHR", (void *)clIcdGetFunctionAddressForPlatformKHR },
	{ "clIcdSetPlatformDispatchDataKHR", (void *)clIcdSetPlatformDispatchDataKHR },
	{ "clSetContentSizeBufferPoCL", (void *)clSetContentSizeBufferPoCL },
};

EXPORT CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *func_name)
{
	for (size_t i = 0; func_name && i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strcmp(functions[i].name, func_name) == 0)
			return functions[i].fn;
	return NULL;
}
