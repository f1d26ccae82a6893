/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"
#include "opencl/marker.h"

/* There is one device and one memory: nothing moves, and the command is a place in the queue. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueMigrateMemObjects(cl_command_queue queue, cl_uint nr_objects,
							   const cl_mem *objects, cl_mem_migration_flags flags,
							   cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!nr_objects || !objects)
		return CL_INVALID_VALUE;
	if (flags & ~(cl_mem_migration_flags)(CL_MIGRATE_MEM_OBJECT_HOST | CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED))
		return CL_INVALID_VALUE;
	code = wait_list_check(queue->context, nr_waits, waits);
	if (code)
		return code;
	for (cl_uint i = 0; i < nr_objects; i++) {
		if (!IS_MEM(objects[i]))
			return CL_INVALID_MEM_OBJECT;
		if (objects[i]->context != queue->context)
			return CL_INVALID_CONTEXT;
	}
	return marker_enqueue(queue, CL_COMMAND_MIGRATE_MEM_OBJECTS, TRNC_REC_MARKER, nr_waits, waits, event);
}
