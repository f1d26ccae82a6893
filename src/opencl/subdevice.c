/* SPDX-License-Identifier: MIT */
/*
 * Sub-devices: a range of their root's compute units.  The client's alone but for queues, which tell the host their range.
 * As in PoCL, contexts and programs know the root only.
 */
#include "opencl/subdevice.h"

#include <stdlib.h>
#include <string.h>

#include "opencl/device.h"

cl_device_id device_root(cl_device_id d)
{
	while (d->parent)
		d = d->parent;
	return d;
}

void device_hold(cl_device_id d)
{
	if (d->parent)
		atomic_fetch_add_explicit(&d->holds, 1, memory_order_relaxed);
}

void device_let_go(cl_device_id d)
{
	while (d->parent && atomic_fetch_sub_explicit(&d->holds, 1, memory_order_acq_rel) == 1) {
		cl_device_id parent = d->parent;

		d->head.kind = 0;
		pthread_mutex_destroy(&d->lock);
		free(d->partition);
		device_forget_answers(d);
		free(d);
		d = parent;
	}
}

cl_device_id subdevice_new(cl_device_id parent, uint32_t first_unit, uint32_t nr_units,
			   const cl_device_partition_property *partition, size_t nr_partition)
{
	cl_device_id d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->partition = malloc(nr_partition * sizeof(*partition));
	if (!d->partition) {
		free(d);
		return NULL;
	}
	memcpy(d->partition, partition, nr_partition * sizeof(*partition));
	d->nr_partition = nr_partition;
	head_init(&d->head, KIND_DEVICE);
	pthread_mutex_init(&d->lock, NULL);
	atomic_init(&d->holds, 1); /* dropped with the program's last reference */
	d->parent = parent;
	device_hold(parent); /* dropped in device_let_go() */
	d->platform = parent->platform;
	d->client = parent->client;
	d->limits = parent->limits;
	d->first_unit = first_unit;
	d->nr_units = nr_units;
	atomic_init(&d->answers, atomic_load(&parent->answers));
	return d;
}

/* ---------------------------------------------------------------- answers */

uint32_t subdevice_units(cl_device_id d)
{
	return d->parent ? d->nr_units : (uint32_t)device_host_u64(d, CL_DEVICE_MAX_COMPUTE_UNITS);
}

uint32_t subdevice_max(cl_device_id d)
{
	if (!d->parent)
		return (uint32_t)device_host_u64(d, CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
	return d->nr_units > 1 ? d->nr_units : 0;
}

/* An affinity domain cannot be said on the wire, which knows units by number. */
size_t subdevice_kinds(cl_device_id d, cl_device_partition_property ret[SUBDEVICE_MAX_KINDS])
{
	cl_device_partition_property host;
	const uint8_t *list;
	size_t size, nr = 0;
	cl_int error;

	if (d->parent && d->nr_units == 1)
		return 0;
	list = device_host_info(d, CL_DEVICE_PARTITION_PROPERTIES, &size, &error);
	for (size_t i = 0; list && i + sizeof(host) <= size && nr < SUBDEVICE_MAX_KINDS; i += sizeof(host)) {
		memcpy(&host, list + i, sizeof(host));
		if (host == CL_DEVICE_PARTITION_EQUALLY || host == CL_DEVICE_PARTITION_BY_COUNTS)
			ret[nr++] = host;
	}
	return nr;
}

static cl_int give_kinds(cl_device_id d, size_t cap, void *dst, size_t *size_ret)
{
	cl_device_partition_property kinds[SUBDEVICE_MAX_KINDS] = { 0 };
	size_t nr;
	cl_int error = device_connect(d);

	if (error)
		return error;
	nr = subdevice_kinds(d, kinds);
	return info_return(kinds, (nr ? nr : 1) * sizeof(kinds[0]), cap, dst, size_ret); /* one 0: none */
}

static cl_int give_partition(cl_device_id d, size_t cap, void *dst, size_t *size_ret)
{
	static const cl_device_partition_property none;

	if (!d->parent)
		return info_return(&none, sizeof(none), cap, dst, size_ret);
	return info_return(d->partition, d->nr_partition * sizeof(*d->partition), cap, dst, size_ret);
}

static cl_int give_number(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret)
{
	const void *host;
	cl_int error;
	size_t size;

	if (d->parent)
		return INFO_RETURN(cl_uint, param == CL_DEVICE_MAX_COMPUTE_UNITS ? d->nr_units : subdevice_max(d), cap,
				   dst, size_ret);
	host = device_host_info(d, param, &size, &error);
	return host ? info_return(host, size, cap, dst, size_ret) : error;
}

cl_int subdevice_info(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret)
{
	switch (param) {
	case CL_DEVICE_REFERENCE_COUNT: /* a root device is not counted: always 1 */
		return INFO_RETURN(cl_uint, atomic_load(&d->head.refs), cap, dst, size_ret);
	case CL_DEVICE_PARENT_DEVICE:
		return INFO_RETURN(cl_device_id, d->parent, cap, dst, size_ret);
	case CL_DEVICE_PARTITION_PROPERTIES:
		return give_kinds(d, cap, dst, size_ret);
	case CL_DEVICE_PARTITION_TYPE:
		return give_partition(d, cap, dst, size_ret);
	default:
		return give_number(d, param, cap, dst, size_ret);
	}
}
