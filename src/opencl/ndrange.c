/* SPDX-License-Identifier: MIT */
/* Launching a kernel: the hottest path of the driver.  Without an event it allocates nothing and makes no system call. */
#include "opencl/commands.h"
#include "opencl/ndrange.h"

static bool has_required_size(const struct kernel_info *info)
{
	return info->compile_group_size[0] && info->compile_group_size[1] && info->compile_group_size[2];
}

/* Nearly always it is; what is wrong where it is not is find_fault()'s concern. */
static bool is_local_good(const struct kernel_info *info, const struct device_limits *limits, cl_uint dims,
			  const size_t *global, const size_t *local)
{
	uint64_t product = 1;

	for (cl_uint i = 0; i < dims; i++) {
		if (!local[i] || local[i] > limits->item_sizes[i] || global[i] % local[i])
			return false;
		product *= local[i];
	}
	return product <= limits->group_size && !has_required_size(info);
}

/* In the order in which the host's driver looks; a product that overflows is of sizes that are too large. */
static cl_int find_fault(const struct kernel_info *info, const struct device_limits *limits, cl_uint dims,
			  const size_t *global, const size_t *local)
{
	uint64_t product = 1;

	for (cl_uint i = 0; i < dims; i++) {
		if (!local[i]) /* natively a division by zero */
			return CL_INVALID_WORK_GROUP_SIZE;
		product *= local[i];
	}
	if (product > limits->group_size)
		return CL_INVALID_WORK_GROUP_SIZE;
	for (cl_uint i = 0; i < dims; i++)
		if (local[i] > limits->item_sizes[i])
			return CL_INVALID_WORK_ITEM_SIZE;
	for (cl_uint i = 0; i < dims; i++)
		if (global[i] % local[i])
			return CL_INVALID_WORK_GROUP_SIZE;
	for (cl_uint i = 0; has_required_size(info) && i < 3; i++)
		if ((i < dims ? local[i] : 1) != info->compile_group_size[i])
			return CL_INVALID_WORK_GROUP_SIZE;
	return CL_SUCCESS;
}

/* Without a work-item, no other size is looked at. */
static cl_int check_sizes(const struct kernel_info *info, const struct device_limits *limits, cl_uint dims,
			  const size_t *global, const size_t *local)
{
	if (dims < 1 || dims > 3 || dims > limits->work_dims)
		return CL_INVALID_WORK_DIMENSION;
	for (cl_uint i = 0; i < dims; i++)
		if (!global[i])
			return CL_SUCCESS;
	if (local)
		return is_local_good(info, limits, dims, global, local) ?
			       CL_SUCCESS :
			       find_fault(info, limits, dims, global, local);
	return has_required_size(info) ? CL_INVALID_WORK_GROUP_SIZE : CL_SUCCESS;
}

/* The host's driver aborts instead of refusing. */
static bool fits_local_memory(cl_command_queue queue, cl_kernel kernel)
{
	uint64_t total = kernel->info->local_mem;

	if (!kernel->has_local)
		return true;
	for (uint32_t i = 0; i < kernel->info->nr_args; i++) {
		if (kernel->args[i].kind != TRNC_ARG_LOCAL)
			continue;
		if (__builtin_add_overflow(total, kernel->args[i].size, &total))
			return false;
	}
	return total <= queue->context->device->limits.local_mem;
}

static cl_int check(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *global, const size_t *local)
{
	cl_int code;

	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	if (kernel->program->context != queue->context)
		return CL_INVALID_CONTEXT;
	code = check_sizes(kernel->info, &queue->context->device->limits, dims, global, local);
	if (code)
		return code;
	if (kernel->nr_unset)
		return CL_INVALID_KERNEL_ARGS;
	if (kernel->nr_foreign)
		return CL_INVALID_OPERATION;
	return fits_local_memory(queue, kernel) ? CL_SUCCESS : CL_OUT_OF_RESOURCES;
}

static void fill(struct trnc_cmd_ndrange *rec, cl_kernel kernel, cl_uint dims, const size_t *offset,
		 const size_t *global, const size_t *local)
{
	rec->kernel = kernel->handle;
	rec->dims = dims;
	rec->flags = local ? TRNC_NDRANGE_LOCAL : 0;
	for (cl_uint i = 0; i < 3; i++)
		rec->global[i] = rec->local[i] = 1;
	for (cl_uint i = 0; i < dims; i++) {
		rec->global[i] = global[i];
		if (local)
			rec->local[i] = local[i];
		if (offset)
			rec->offset[i] = offset[i];
	}
}

cl_int ndrange_enqueue(cl_command_queue queue, cl_kernel kernel, cl_command_type type, cl_uint dims,
		       const size_t *offset, const size_t *global, const size_t *local, cl_uint nr_waits,
		       const cl_event *waits, cl_event *event)
{
	static const size_t nothing[3]; /* OpenCL 3.0: no global size is a launch of no work-item */
	struct trnc_cmd_ndrange *rec;
	struct command c;
	uint32_t nr_args;
	size_t extra;
	cl_int code;
	void *args;

	if (!global)
		global = nothing;
	code = check(queue, kernel, dims, global, local);
	if (code)
		return code;
	code = command_init(&c, queue, type, nr_waits, waits, event);
	if (code)
		return code;

	/* The kernel's lock makes the order of its argument records the order of its launches. */
	pthread_mutex_lock(&kernel->lock);
	extra = kernel_args_size(kernel, &nr_args);
	code = command_begin(&c, TRNC_REC_NDRANGE, sizeof(*rec), extra, (void **)&rec, &args);
	if (code) {
		pthread_mutex_unlock(&kernel->lock);
		return command_finish(&c, code);
	}
	fill(rec, kernel, dims, offset, global, local);
	rec->cmd.nr_args = nr_args;
	kernel_args_write(kernel, args);
	client_rec_end(queue->context->client);
	if (!base_list_is_empty(&queue->context->shadows))
		shadow_mark_args(kernel, queue);
	pthread_mutex_unlock(&kernel->lock);
	command_hand_out(&c);
	return command_finish(&c, CL_SUCCESS);
}
