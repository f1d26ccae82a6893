/* SPDX-License-Identifier: MIT */
#include "opencl/context.h"
#include "opencl/device.h"

CL_API_ENTRY cl_context CL_API_CALL
clCreateContext(const cl_context_properties *properties, cl_uint num_devices, const cl_device_id *devices,
		void(CL_CALLBACK *pfn_notify)(const char *errinfo, const void *private_info, size_t cb,
					      void *user_data),
		void *user_data, cl_int *errcode_ret)
{
	cl_context ctx;
	cl_int error;

	if (!devices || num_devices == 0 || (!pfn_notify && user_data))
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	for (cl_uint i = 0; i < num_devices; i++)
		if (!IS_DEVICE(devices[i]))
			return fail_with(errcode_ret, CL_INVALID_DEVICE);
	error = context_check_properties(properties);
	if (error)
		return fail_with(errcode_ret, error);
	/* The memory of two virtual devices is in different processes: a context holds one, and all parts of it. */
	for (cl_uint i = 1; i < num_devices; i++)
		if (device_root(devices[i]) != device_root(devices[0]))
			return fail_with(errcode_ret, CL_INVALID_DEVICE);

	ctx = context_create(device_root(devices[0]), properties, pfn_notify, user_data, &error);
	if (errcode_ret)
		*errcode_ret = error;
	return ctx;
}
