/* SPDX-License-Identifier: MIT */
/*
 * Calls that check their arguments and then refuse: what neither the virtual device nor PoCL offers, or what a virtual
 * device cannot have.  The answers are the specification's, and PoCL's where it leaves a choice.
 */
#include "opencl/device.h"

CL_API_ENTRY cl_int CL_API_CALL clCreateSubDevicesEXT(cl_device_id in_device,
						      const cl_device_partition_property_ext *properties,
						      cl_uint num_entries, cl_device_id *out_devices,
						      cl_uint *num_devices)
{
	return IS_DEVICE(in_device) ? CL_DEVICE_PARTITION_FAILED_EXT : CL_INVALID_DEVICE;
}
