/* SPDX-License-Identifier: MIT */
#include "opencl/context.h"
#include "opencl/device.h"

CL_API_ENTRY cl_context CL_API_CALL
clCreateContextFromType(const cl_context_properties *properties, cl_device_type device_type,
			void(CL_CALLBACK *pfn_notify)(const char *errinfo, const void *private_info, size_t cb,
						      void *user_data),
			void *user_data, cl_int *errcode_ret)
{
	struct _cl_platform_id *platform = platform_get();
	cl_device_id device;

	/* The loader found the platform in the properties, so there is one. A context holds one device: the first. */
	if (!platform || devices_find(platform, device_type, 1, &device) == 0)
		return fail_with(errcode_ret, CL_DEVICE_NOT_FOUND);
	return clCreateContext(properties, 1, &device, pfn_notify, user_data, errcode_ret);
}
