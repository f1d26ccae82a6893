/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "opencl/svm.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMemFill(cl_command_queue queue, void *svm_ptr, const void *pattern,
						    size_t pattern_size, size_t size, cl_uint nr_waits,
						    const cl_event *waits, cl_event *event)
{
	struct svm_work work = { .dst = svm_ptr, .size = size, .pattern_size = pattern_size };
	struct command c;
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!svm_ptr || !pattern || !pattern_size || pattern_size > sizeof(work.pattern) ||
	    pattern_size & (pattern_size - 1))
		return CL_INVALID_VALUE;
	if (!size || (uintptr_t)svm_ptr % pattern_size || size % pattern_size)
		return CL_INVALID_VALUE;
	code = command_init(&c, queue, CL_COMMAND_SVM_MEMFILL, nr_waits, waits, event);
	if (code)
		return code;
	memcpy(work.pattern, pattern, pattern_size);
	return command_finish(&c, svm_work_enqueue(&c, &work, false));
}
