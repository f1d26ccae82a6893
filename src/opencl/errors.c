/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "opencl/objects.h"

cl_int cl_error_from(int err)
{
	static const struct {
		int err;
		cl_int code;
	} table[] = {
		{ 0, CL_SUCCESS },
		{ ENOMEM, CL_OUT_OF_HOST_MEMORY },
		{ ENOSPC, CL_MEM_OBJECT_ALLOCATION_FAILURE }, /* the quota */
		{ EINVAL, CL_INVALID_VALUE },
		/* no device there, or not for us */
		{ ENOENT, CL_DEVICE_NOT_AVAILABLE },
		{ ECONNREFUSED, CL_DEVICE_NOT_AVAILABLE },
		{ EACCES, CL_DEVICE_NOT_AVAILABLE },
		{ EPERM, CL_DEVICE_NOT_AVAILABLE },
		{ ENODEV, CL_DEVICE_NOT_AVAILABLE },
		{ EPROTONOSUPPORT, CL_DEVICE_NOT_AVAILABLE },
	};

	if (err < 0)
		err = -err;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].err == err)
			return table[i].code;
	/* Lost sessions, full queues, descriptors used up, nonsense from the device. */
	return CL_OUT_OF_RESOURCES;
}
