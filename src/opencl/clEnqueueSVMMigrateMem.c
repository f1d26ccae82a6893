/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

/* There is one memory: nothing moves. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMMigrateMem(cl_command_queue queue, cl_uint num_svm_pointers,
						       const void **svm_pointers, const size_t *sizes,
						       cl_mem_migration_flags flags, cl_uint nr_waits,
						       const cl_event *waits, cl_event *event)
{
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!svm_pointers || !num_svm_pointers)
		return CL_INVALID_VALUE;
	if (flags & ~(cl_mem_migration_flags)(CL_MIGRATE_MEM_OBJECT_HOST | CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < num_svm_pointers; i++)
		if (!svm_pointers[i])
			return CL_INVALID_VALUE;
	return svm_turn_enqueue(queue, CL_COMMAND_SVM_MIGRATE_MEM, nr_waits, waits, event);
}
