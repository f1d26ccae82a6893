/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

static bool overlaps(uintptr_t a, uintptr_t b, size_t size)
{
	return (a <= b && a + size > b) || (b <= a && b + size > a);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMemcpy(cl_command_queue queue, cl_bool blocking_copy, void *dst_ptr,
						   const void *src_ptr, size_t size, cl_uint nr_waits,
						   const cl_event *waits, cl_event *event)
{
	const struct svm_work work = { .dst = dst_ptr, .src = src_ptr, .size = size };
	struct command c;
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!src_ptr || !dst_ptr || !size)
		return CL_INVALID_VALUE;
	code = command_init(&c, queue, CL_COMMAND_SVM_MEMCPY, nr_waits, waits, event);
	if (code)
		return code;
	if (overlaps((uintptr_t)dst_ptr, (uintptr_t)src_ptr, size))
		return command_finish(&c, CL_MEM_COPY_OVERLAP);
	code = command_finish(&c, svm_work_enqueue(&c, &work, blocking_copy == CL_TRUE));
	/* PoCL waits for all of the queue. */
	return !code && blocking_copy == CL_TRUE ? queue_finish(queue) : code;
}
