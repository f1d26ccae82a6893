/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/command_buffer.h"
#include "opencl/export.h"
#include "opencl/extension_functions.h"

#define FUNCTION(name) { #name, (void *)(name) }

/* The names that PoCL knows. */
static const struct {
	const char *name;
	void *fn;
} functions[] = {
	FUNCTION(clIcdGetPlatformIDsKHR),
	FUNCTION(clGetPlatformInfo),
	FUNCTION(clSetContentSizeBufferPoCL),
	{ "clCreateProgramWithILKHR", (void *)clCreateProgramWithIL },
	/* cl_khr_command_buffer */
	FUNCTION(clCreateCommandBufferKHR),
	FUNCTION(clRetainCommandBufferKHR),
	FUNCTION(clReleaseCommandBufferKHR),
	FUNCTION(clFinalizeCommandBufferKHR),
	FUNCTION(clEnqueueCommandBufferKHR),
	FUNCTION(clCommandBarrierWithWaitListKHR),
	FUNCTION(clCommandCopyBufferKHR),
	FUNCTION(clCommandCopyBufferRectKHR),
	FUNCTION(clCommandCopyBufferToImageKHR),
	FUNCTION(clCommandCopyImageKHR),
	FUNCTION(clCommandCopyImageToBufferKHR),
	FUNCTION(clCommandFillBufferKHR),
	FUNCTION(clCommandFillImageKHR),
	FUNCTION(clCommandNDRangeKernelKHR),
	FUNCTION(clGetCommandBufferInfoKHR),
};

EXPORT CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddressForPlatform(cl_platform_id platform,
									       const char *func_name)
{
	if (!IS_PLATFORM(platform) || !func_name)
		return NULL;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strcmp(functions[i].name, func_name) == 0)
			return functions[i].fn;
	return NULL;
}
