/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMUnmap(cl_command_queue queue, void *svm_ptr, cl_uint nr_waits,
						  const cl_event *waits, cl_event *event)
{
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!svm_ptr)
		return CL_INVALID_VALUE;
	return svm_turn_enqueue(queue, CL_COMMAND_SVM_UNMAP, nr_waits, waits, event);
}
