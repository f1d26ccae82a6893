/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

/* The memory is the program's at all times: a map is a place in the queue.  The flags mean nothing, also to PoCL. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMap(cl_command_queue queue, cl_bool blocking_map, cl_map_flags flags,
						void *svm_ptr, size_t size, cl_uint nr_waits, const cl_event *waits,
						cl_event *event)
{
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!size || !svm_ptr)
		return CL_INVALID_VALUE;
	code = svm_turn_enqueue(queue, CL_COMMAND_SVM_MAP, nr_waits, waits, event);
	return !code && blocking_map == CL_TRUE ? queue_finish(queue) : code;
}
