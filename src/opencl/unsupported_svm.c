/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory and pipes are not built yet; the device says so (CL_DEVICE_SVM_CAPABILITIES,
 * CL_DEVICE_PIPE_SUPPORT), and these are the specification's answers for such a device.
 */
#include "opencl/objects.h"

static cl_int refuse_command(cl_command_queue queue)
{
	return IS_QUEUE(queue) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}

CL_API_ENTRY void *CL_API_CALL clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t size,
					  cl_uint alignment)
{
	return NULL;
}

/* Does nothing: nothing was allocated. */
CL_API_ENTRY void CL_API_CALL clSVMFree(cl_context context, void *svm_pointer)
{
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMFree(cl_command_queue command_queue, cl_uint num_svm_pointers,
						 void *svm_pointers[],
						 void(CL_CALLBACK *pfn_free_func)(cl_command_queue queue,
										  cl_uint num_svm_pointers,
										  void *svm_pointers[],
										  void *user_data),
						 void *user_data, cl_uint num_events_in_wait_list,
						 const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMemcpy(cl_command_queue command_queue, cl_bool blocking_copy,
						   void *dst_ptr, const void *src_ptr, size_t size,
						   cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						   cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMemFill(cl_command_queue command_queue, void *svm_ptr, const void *pattern,
						    size_t pattern_size, size_t size, cl_uint num_events_in_wait_list,
						    const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMap(cl_command_queue command_queue, cl_bool blocking_map,
						cl_map_flags flags, void *svm_ptr, size_t size,
						cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMUnmap(cl_command_queue command_queue, void *svm_ptr,
						  cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
						  cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMigrateMem(cl_command_queue command_queue, cl_uint num_svm_pointers,
						       const void **svm_pointers, const size_t *sizes,
						       cl_mem_migration_flags flags, cl_uint num_events_in_wait_list,
						       const cl_event *event_wait_list, cl_event *event)
{
	return refuse_command(command_queue);
}

CL_API_ENTRY cl_int CL_API_CALL clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint arg_index, const void *arg_value)
{
	return IS_KERNEL(kernel) ? CL_INVALID_OPERATION : CL_INVALID_KERNEL;
}

CL_API_ENTRY cl_int CL_API_CALL clSetKernelExecInfo(cl_kernel kernel, cl_kernel_exec_info param_name,
						    size_t param_value_size, const void *param_value)
{
	return IS_KERNEL(kernel) ? CL_INVALID_OPERATION : CL_INVALID_KERNEL;
}

CL_API_ENTRY cl_mem CL_API_CALL clCreatePipe(cl_context context, cl_mem_flags flags, cl_uint pipe_packet_size,
					     cl_uint pipe_max_packets, const cl_pipe_properties *properties,
					     cl_int *errcode_ret)
{
	if (!IS_CONTEXT(context))
		return fail_with(errcode_ret, CL_INVALID_CONTEXT);
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_int CL_API_CALL clGetPipeInfo(cl_mem pipe, cl_pipe_info param_name, size_t param_value_size,
					      void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}
