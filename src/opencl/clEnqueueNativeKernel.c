/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/commands.h"
#include "opencl/device.h"

/* Not as the host: of a sub-buffer the function gets the sub-buffer's own place; PoCL 3.1 gives its buffer's. */
/* Not as the host: memory objects are refused where the host does not use buffers in place. */

/* A function of the program, which the queue's own thread calls in its turn: it may wait for one of another queue. */
struct native {
	struct worker_item item;
	void(CL_CALLBACK *fn)(void *);
	void *args; /* owned: what the program gave, with the memory objects' pointers in their places */
	cl_uint nr_mems;
	cl_mem mems[]; /* counted */
};

static void native_free(struct native *n)
{
	for (cl_uint i = 0; i < n->nr_mems; i++)
		clReleaseMemObject(n->mems[i]);
	free(n->args);
	free(n);
}

static void run_native(struct worker_item *item, cl_int status)
{
	struct native *n = base_container_of(item, struct native, item);

	if (status >= CL_COMPLETE) {
		uint64_t start_ns = client_clock_ns(item->event->context->client);

		n->fn(n->args);
		client_command_end(item->event, CL_COMPLETE, start_ns);
	}
	native_free(n);
}

static cl_int check(cl_command_queue queue, void(CL_CALLBACK *fn)(void *), const void *args, size_t cb_args,
		    cl_uint nr_mems, const cl_mem *mems, const void **locations)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!fn || !args != !cb_args || (!args && nr_mems))
		return CL_INVALID_VALUE;
	if (!nr_mems != !mems || !nr_mems != !locations)
		return CL_INVALID_VALUE;
	if (!(device_info_u64(queue->context->device, CL_DEVICE_EXECUTION_CAPABILITIES) & CL_EXEC_NATIVE_KERNEL))
		return CL_INVALID_OPERATION;
	/* Their bytes would have to be fetched first. */
	return nr_mems && !queue->context->coherent ? CL_INVALID_OPERATION : CL_SUCCESS;
}

/* Where in the copy of the arguments a pointer goes; the host's driver would write anywhere. */
static bool find_place(const void *args, size_t cb_args, const void *location, size_t *ret_offset)
{
	*ret_offset = (uintptr_t)location - (uintptr_t)args;
	return *ret_offset < cb_args && cb_args - *ret_offset >= sizeof(void *);
}

static cl_int native_new(const void *args, size_t cb_args, cl_uint nr_mems, const cl_mem *mems, const void **locations,
			 struct native **ret)
{
	struct native *n = calloc(1, sizeof(*n) + nr_mems * sizeof(n->mems[0]));
	size_t offset;

	if (!n)
		return CL_OUT_OF_HOST_MEMORY;
	n->args = args ? malloc(cb_args) : NULL;
	if (args && !n->args) {
		native_free(n);
		return CL_OUT_OF_HOST_MEMORY;
	}
	if (args)
		memcpy(n->args, args, cb_args);
	for (cl_uint i = 0; i < nr_mems; i++) {
		if (!IS_MEM(mems[i])) {
			native_free(n);
			return CL_INVALID_MEM_OBJECT;
		}
		if (!find_place(args, cb_args, locations[i], &offset)) {
			native_free(n);
			return CL_INVALID_VALUE;
		}
		memcpy((uint8_t *)n->args + offset, &mems[i]->bytes, sizeof(void *));
		n->mems[n->nr_mems++] = mems[i];
		head_ref(&mems[i]->head);
	}
	*ret = n;
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueNativeKernel(cl_command_queue queue, void(CL_CALLBACK *user_func)(void *),
						      void *args, size_t cb_args, cl_uint num_mem_objects,
						      const cl_mem *mem_list, const void **args_mem_loc,
						      cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	struct command c;
	struct native *n;
	cl_int code;

	code = check(queue, user_func, args, cb_args, num_mem_objects, mem_list, args_mem_loc);
	if (!code)
		code = command_init(&c, queue, CL_COMMAND_NATIVE_KERNEL, nr_waits, waits, event);
	if (code)
		return code;
	code = native_new(args, cb_args, num_mem_objects, mem_list, args_mem_loc, &n);
	if (code)
		return command_finish(&c, code);
	n->fn = user_func;
	n->item.run = run_native;
	code = client_command_enqueue(&c, &queue->natives, "tranche-native", &n->item);
	if (code) {
		native_free(n);
		return command_finish(&c, code);
	}
	for (cl_uint i = 0; i < num_mem_objects; i++)
		shadow_mark(mem_list[i], queue);
	return command_finish(&c, CL_SUCCESS);
}
