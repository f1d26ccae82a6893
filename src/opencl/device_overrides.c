/* SPDX-License-Identifier: MIT */
/*
 * The answers of the virtual device that are not the host's: the rows of the table at the end, each with its reason.
 * Everything else a program asks is answered by the host.
 */
#include <stdlib.h>
#include <string.h>

#include "opencl/device.h"
#include "opencl/svm.h"

struct row;
typedef cl_int answer_fn(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret);

struct row {
	cl_device_info param;
	answer_fn *answer;
	uint64_t value; /* of the constant answers */
};

static cl_int give_platform(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	return INFO_RETURN(void *, d->platform, cap, dst, size_ret);
}

static cl_int give_division(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	return subdevice_info(d, row->param, cap, dst, size_ret);
}

/* As many zeros as the host's answer has bytes: nothing of the kind. What the host refuses is refused. */
static cl_int give_zeros(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	static const uint8_t zeros[64];
	cl_int error;
	size_t size;

	if (!device_host_info(d, row->param, &size, &error))
		return error;
	return info_return(zeros, size < sizeof(zeros) ? size : sizeof(zeros), cap, dst, size_ret);
}

static cl_int give_memory(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	cl_int error = device_connect(d);
	uint64_t quota, host;

	if (error)
		return error;
	quota = client_device_quota(d->client);
	host = device_host_u64(d, row->param);
	if (row->param == CL_DEVICE_GLOBAL_MEM_SIZE || host > quota)
		host = quota;
	return INFO_RETURN(cl_ulong, host, cap, dst, size_ret);
}

static cl_int give_name(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	static const char prefix[] = "Tranche ";
	cl_int error = device_connect(d);
	const char *host;
	char *name;

	if (error)
		return error;
	host = device_host_str(d, CL_DEVICE_NAME);
	name = malloc(sizeof(prefix) + strlen(host));
	if (!name)
		return CL_OUT_OF_HOST_MEMORY;
	stpcpy(stpcpy(name, prefix), host);
	error = info_return_str(name, cap, dst, size_ret);
	free(name);
	return error;
}

static cl_int give_type(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	cl_int error = device_connect(d);
	cl_device_type type;

	if (error)
		return error;
	type = device_host_u64(d, row->param);
	if (device_root(d) != d->platform->devices[0])
		type &= ~(cl_device_type)CL_DEVICE_TYPE_DEFAULT;
	return INFO_RETURN(cl_device_type, type, cap, dst, size_ret);
}

static cl_int give_svm(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	cl_int error = device_connect(d);

	if (error)
		return error;
	return INFO_RETURN(cl_device_svm_capabilities, svm_capabilities(d), cap, dst, size_ret);
}

static cl_int give_extensions(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	cl_int error = device_connect(d);
	char *text;

	if (error)
		return error;
	text = extensions_filter(device_host_str(d, row->param));
	if (!text)
		return CL_OUT_OF_HOST_MEMORY;
	error = info_return_str(text, cap, dst, size_ret);
	free(text);
	return error;
}

static cl_int give_name_versions(cl_device_id d, const struct row *row, size_t cap, void *dst, size_t *size_ret)
{
	cl_name_version *list;
	cl_int error;
	size_t size;
	const void *host = device_host_info(d, row->param, &size, &error);

	if (!host)
		return error;
	list = malloc(size ? size : 1);
	if (!list)
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(list, host, size);
	size = sizeof(*list) * extensions_filter_versions(list, size / sizeof(*list));
	error = info_return(list, size, cap, dst, size_ret);
	free(list);
	return error;
}

static const struct row rows[] = {
	/* the virtual device is a thing of its own */
	{ CL_DEVICE_PLATFORM, give_platform },	 /* ids mean something in this process only */
	{ CL_DEVICE_NAME, give_name },		 /* to tell it from the host's own device */
	{ CL_DEVICE_TYPE, give_type },		 /* one device of a platform is the default one */
	{ CL_DEVICE_GLOBAL_MEM_SIZE, give_memory }, /* the quota */
	{ CL_DEVICE_MAX_MEM_ALLOC_SIZE, give_memory }, /* a buffer over the quota can never be had */

	/* extensions that add calls or objects are offered once they are built */
	{ CL_DEVICE_EXTENSIONS, give_extensions },
	{ CL_DEVICE_EXTENSIONS_WITH_VERSION, give_name_versions },
	{ CL_DEVICE_OPENCL_C_FEATURES, give_name_versions },

	/* the host's, but for pointers to what is not in the window; none where the window has another address there */
	{ CL_DEVICE_SVM_CAPABILITIES, give_svm },

	/* sub-devices are this driver's own objects */
	{ CL_DEVICE_REFERENCE_COUNT, give_division },
	{ CL_DEVICE_PARENT_DEVICE, give_division },
	{ CL_DEVICE_PARTITION_TYPE, give_division },
	{ CL_DEVICE_MAX_COMPUTE_UNITS, give_division },		/* a root's are the host's */
	{ CL_DEVICE_PARTITION_MAX_SUB_DEVICES, give_division }, /* a root's are the host's */
	{ CL_DEVICE_PARTITION_PROPERTIES, give_division },	/* the host's, but for affinity domains */
	{ CL_DEVICE_PARTITION_AFFINITY_DOMAIN, give_zeros },	/* cannot be said on the wire */

	/* kernels that enqueue kernels, pipes and sub-group queries have no records on the wire; PoCL has none of them */
	{ CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES, give_zeros },
	{ CL_DEVICE_QUEUE_ON_DEVICE_PREFERRED_SIZE, give_zeros },
	{ CL_DEVICE_QUEUE_ON_DEVICE_MAX_SIZE, give_zeros },
	{ CL_DEVICE_MAX_ON_DEVICE_QUEUES, give_zeros },
	{ CL_DEVICE_MAX_ON_DEVICE_EVENTS, give_zeros },
	{ CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES, give_zeros },
	{ CL_DEVICE_PIPE_SUPPORT, give_zeros },
	{ CL_DEVICE_MAX_PIPE_ARGS, give_zeros },
	{ CL_DEVICE_PIPE_MAX_ACTIVE_RESERVATIONS, give_zeros },
	{ CL_DEVICE_PIPE_MAX_PACKET_SIZE, give_zeros },
	{ CL_DEVICE_MAX_NUM_SUB_GROUPS, give_zeros },
	{ CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS, give_zeros },
};

cl_int device_override(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret,
		       bool *ret_is_ours)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].param != param)
			continue;
		*ret_is_ours = true;
		return rows[i].answer(d, &rows[i], cap, dst, size_ret);
	}
	*ret_is_ours = false;
	return CL_SUCCESS;
}
