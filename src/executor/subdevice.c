/* SPDX-License-Identifier: MIT */
#include "executor/subdevice.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"

struct exec_subdevice {
	struct exec_subdevice *next;
	uint32_t first, nr;
	cl_device_id device; /* the whole one, if the host made no part */
};

bool exec_subdevice_is_range(struct exec_host *h, uint32_t first, uint32_t nr)
{
	cl_uint units = 0;

	if (nr == 0)
		return first == 0;
	if (h->GetDeviceInfo(h->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL) != CL_SUCCESS)
		return false;
	return nr <= units && first <= units - nr;
}

/* By counts, because then a part may begin anywhere: what lies before it is a part that nobody uses. */
static cl_device_id make(struct exec_host *h, uint32_t first, uint32_t nr)
{
	const cl_device_partition_property from_start[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr,
							    CL_DEVICE_PARTITION_BY_COUNTS_LIST_END };
	const cl_device_partition_property behind[] = { CL_DEVICE_PARTITION_BY_COUNTS, first, nr,
							CL_DEVICE_PARTITION_BY_COUNTS_LIST_END };
	const cl_uint nr_parts = first ? 2 : 1;
	cl_device_id parts[2] = { NULL };
	cl_int err = CL_INVALID_OPERATION;

	if (h->CreateSubDevices)
		err = h->CreateSubDevices(h->device, first ? behind : from_start, nr_parts, parts, NULL);
	if (err == CL_SUCCESS && parts[nr_parts - 1])
		return parts[nr_parts - 1];
	log_debug("the host makes no sub-device of %u units from %u: error %d", nr, first, err);
	return h->device;
}

static cl_device_id get(struct exec_host *h, uint32_t first, uint32_t nr)
{
	struct exec_subdevice *head = atomic_load(&h->subdevices), *s;

	for (s = head; s; s = s->next)
		if (s->first == first && s->nr == nr)
			return s->device;
	s = malloc(sizeof(*s));
	if (!s)
		return h->device;
	*s = (struct exec_subdevice){ .next = head, .first = first, .nr = nr, .device = make(h, first, nr) };
	/* Two threads may make the same one at once: both are good. */
	while (!atomic_compare_exchange_weak(&h->subdevices, &s->next, s))
		;
	return s->device;
}

cl_command_queue exec_subdevice_create_queue(struct exec_host *h, cl_context context,
					     cl_command_queue_properties properties, uint32_t first, uint32_t nr,
					     cl_int *ret_err)
{
	const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };
	cl_command_queue queue = NULL;

	if (nr && h->CreateCommandQueueWithProperties)
		queue = h->CreateCommandQueueWithProperties(context, get(h, first, nr), list, ret_err);
	else if (nr)
		queue = h->CreateCommandQueue(context, get(h, first, nr), properties, ret_err);
	return queue ? queue : exec_host_create_queue(h, context, properties, ret_err);
}
