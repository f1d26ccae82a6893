/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/device.h"
#include "opencl/program.h"

/* One of a list with semicolons? */
static bool is_listed(const char *list, const char *name, size_t len)
{
	for (size_t n; *(list += strspn(list, ";")); list += n) {
		n = strcspn(list, ";");
		if (n == len && memcmp(list, name, len) == 0)
			return true;
	}
	return false;
}

/* Empty names do not count, so a list of none is had by every device. */
static bool has_all(cl_device_id d, const char *names)
{
	const char *list = device_host_str(d, CL_DEVICE_BUILT_IN_KERNELS);

	for (size_t n; *(names += strspn(names, ";")); names += n) {
		n = strcspn(names, ";");
		if (!is_listed(list, names, n))
			return false;
	}
	return true;
}

static cl_int check(cl_context ctx, cl_uint nr, const cl_device_id *devices, const char *names)
{
	bool has_one = false;

	for (cl_uint i = 0; i < nr; i++) {
		if (!IS_DEVICE(devices[i]))
			return CL_INVALID_DEVICE;
		has_one = has_one || has_all(devices[i], names);
	}
	if (!has_one)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < nr; i++)
		for (cl_uint j = 0; j < i; j++)
			if (devices[i] == devices[j])
				return CL_INVALID_DEVICE;
	return program_check_devices(ctx, nr, devices);
}

CL_API_ENTRY cl_program CL_API_CALL clCreateProgramWithBuiltInKernels(cl_context context, cl_uint num_devices,
								      const cl_device_id *device_list,
								      const char *kernel_names, cl_int *errcode_ret)
{
	cl_program p;
	cl_int error;

	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	if (!device_list || num_devices == 0 || !kernel_names)
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	error = check(context, num_devices, device_list, kernel_names);
	if (error)
		return fail_with(errcode_ret, error);
	p = program_new(context, &error);
	if (!p)
		return fail_with(errcode_ret, error);
	p->builtin_names = strdup(kernel_names);
	if (!p->builtin_names) {
		clReleaseProgram(p);
		return fail_with(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	}
	fail_with(errcode_ret, CL_SUCCESS);
	return p;
}
