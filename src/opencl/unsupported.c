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

/* A function of the program cannot run in the host's process. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueNativeKernel(cl_command_queue command_queue,
						      void(CL_CALLBACK *user_func)(void *), void *args,
						      size_t cb_args, cl_uint num_mem_objects, const cl_mem *mem_list,
						      const void **args_mem_loc, cl_uint num_events_in_wait_list,
						      const cl_event *event_wait_list, cl_event *event)
{
	if (!IS_QUEUE(command_queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!user_func || (args != NULL) != (cb_args > 0) || (!args && num_mem_objects > 0) ||
	    (num_mem_objects > 0) != (mem_list != NULL) || (num_mem_objects > 0) != (args_mem_loc != NULL))
		return CL_INVALID_VALUE;
	return CL_INVALID_OPERATION;
}

/* Queues on the device are not offered. */
CL_API_ENTRY cl_int CL_API_CALL clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
							       cl_command_queue command_queue)
{
	if (!IS_CONTEXT(context))
		return CL_INVALID_CONTEXT;
	if (!IS_DEVICE(device))
		return CL_INVALID_DEVICE;
	return CL_INVALID_OPERATION;
}

/* The clocks of host and program are not tied together; CL_PLATFORM_HOST_TIMER_RESOLUTION is 0. */
CL_API_ENTRY cl_int CL_API_CALL clGetDeviceAndHostTimer(cl_device_id device, cl_ulong *device_timestamp,
							cl_ulong *host_timestamp)
{
	return IS_DEVICE(device) ? CL_INVALID_OPERATION : CL_INVALID_DEVICE;
}

CL_API_ENTRY cl_int CL_API_CALL clGetHostTimer(cl_device_id device, cl_ulong *host_timestamp)
{
	return IS_DEVICE(device) ? CL_INVALID_OPERATION : CL_INVALID_DEVICE;
}

static cl_int refuse_sub_groups(cl_kernel kernel, cl_device_id device)
{
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	if (device && (!IS_DEVICE(device) || device_root(device) != kernel->program->context->device))
		return CL_INVALID_DEVICE;
	return CL_INVALID_OPERATION;
}

/* The device has no sub-groups. */
CL_API_ENTRY cl_int CL_API_CALL clGetKernelSubGroupInfo(cl_kernel kernel, cl_device_id device,
							cl_kernel_sub_group_info param_name, size_t input_value_size,
							const void *input_value, size_t param_value_size,
							void *param_value, size_t *param_value_size_ret)
{
	return refuse_sub_groups(kernel, device);
}

CL_API_ENTRY cl_int CL_API_CALL clGetKernelSubGroupInfoKHR(cl_kernel in_kernel, cl_device_id in_device,
							   cl_kernel_sub_group_info param_name,
							   size_t input_value_size, const void *input_value,
							   size_t param_value_size, void *param_value,
							   size_t *param_value_size_ret)
{
	return refuse_sub_groups(in_kernel, in_device);
}

/* Deprecated by OpenCL 3.0; kernels at program scope are not offered. */
CL_API_ENTRY cl_int CL_API_CALL clSetProgramReleaseCallback(
	cl_program program, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data)
{
	return IS_PROGRAM(program) ? CL_INVALID_OPERATION : CL_INVALID_PROGRAM;
}

/* Only programs from IL have such constants, and the wire does not carry them yet. */
CL_API_ENTRY cl_int CL_API_CALL clSetProgramSpecializationConstant(cl_program program, cl_uint spec_id,
								   size_t spec_size, const void *spec_value)
{
	if (!IS_PROGRAM(program) || !program->il)
		return CL_INVALID_PROGRAM;
	return CL_INVALID_OPERATION;
}
