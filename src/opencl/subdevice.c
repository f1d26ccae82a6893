/* SPDX-License-Identifier: MIT */
/*
 * Sub-devices: a range of their root's compute units.  The client's alone but for queues, which tell the host their range.
 * As in PoCL, contexts and programs know the root only.
 */
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
		free(d);
		d = parent;
	}
}

static cl_device_id subdevice_new(cl_device_id parent, uint32_t first_unit, uint32_t nr_units,
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

static uint32_t units_of(cl_device_id d)
{
	return d->parent ? d->nr_units : (uint32_t)device_host_u64(d, CL_DEVICE_MAX_COMPUTE_UNITS);
}

static uint32_t max_sub_devices(cl_device_id d)
{
	if (!d->parent)
		return (uint32_t)device_host_u64(d, CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
	return d->nr_units > 1 ? d->nr_units : 0;
}

#define MAX_KINDS 8

/*
 * The ways in which the device can be divided, of those that the host has: an affinity domain cannot be said on the wire,
 * which knows units by number. Return: how many.
 */
static size_t kinds_of(cl_device_id d, cl_device_partition_property ret[MAX_KINDS])
{
	cl_device_partition_property host;
	const uint8_t *list;
	size_t size, nr = 0;
	cl_int error;

	if (d->parent && d->nr_units == 1)
		return 0;
	list = device_host_info(d, CL_DEVICE_PARTITION_PROPERTIES, &size, &error);
	for (size_t i = 0; list && i + sizeof(host) <= size && nr < MAX_KINDS; i += sizeof(host)) {
		memcpy(&host, list + i, sizeof(host));
		if (host == CL_DEVICE_PARTITION_EQUALLY || host == CL_DEVICE_PARTITION_BY_COUNTS)
			ret[nr++] = host;
	}
	return nr;
}

static cl_int give_kinds(cl_device_id d, size_t cap, void *dst, size_t *size_ret)
{
	cl_device_partition_property kinds[MAX_KINDS] = { 0 };
	size_t nr;
	cl_int error = device_connect(d);

	if (error)
		return error;
	nr = kinds_of(d, kinds);
	return info_return(kinds, (nr ? nr : 1) * sizeof(kinds[0]), cap, dst, size_ret); /* one 0: none */
}

static cl_int give_partition(cl_device_id d, size_t cap, void *dst, size_t *size_ret)
{
	static const cl_device_partition_property none;

	if (!d->parent)
		return info_return(&none, sizeof(none), cap, dst, size_ret);
	return info_return(d->partition, d->nr_partition * sizeof(*d->partition), cap, dst, size_ret);
}

cl_int subdevice_info(cl_device_id d, cl_device_info param, size_t cap, void *dst, size_t *size_ret, bool *ret_is_ours)
{
	*ret_is_ours = true;
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
		break;
	}
	*ret_is_ours = d->parent &&
		       (param == CL_DEVICE_MAX_COMPUTE_UNITS || param == CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
	if (!*ret_is_ours)
		return CL_SUCCESS;
	return INFO_RETURN(cl_uint, param == CL_DEVICE_MAX_COMPUTE_UNITS ? d->nr_units : max_sub_devices(d), cap, dst,
			   size_ret);
}

/* --------------------------------------------------------------- dividing */

/* What a call asks for. */
struct division {
	const cl_device_partition_property *properties;
	size_t nr_properties; /* with the closing 0 */
	uint32_t nr_devices;
	bool is_equal;
};

static uint32_t units_asked(const struct division *v, uint32_t i)
{
	return (uint32_t)v->properties[v->is_equal ? 1 : 1 + i];
}

static cl_int divide_equally(uint32_t units, struct division *v)
{
	const cl_device_partition_property each = v->properties[1];

	if (each <= 0 || each > (cl_device_partition_property)units || v->properties[2] != 0)
		return CL_INVALID_VALUE;
	v->is_equal = true;
	v->nr_devices = units / (uint32_t)each;
	v->nr_properties = 3;
	return CL_SUCCESS;
}

static cl_int divide_by_counts(uint32_t units, uint32_t max_devices, struct division *v)
{
	uint64_t total = 0;
	size_t i;

	for (i = 1; v->properties[i] != 0; i++) {
		if (v->properties[i] < 0 || v->properties[i] > (cl_device_partition_property)units)
			return CL_INVALID_DEVICE_PARTITION_COUNT;
		total += (uint64_t)v->properties[i];
	}
	if (total == 0 || total > units || i - 1 > max_devices)
		return CL_INVALID_DEVICE_PARTITION_COUNT;
	v->nr_devices = (uint32_t)(i - 1);
	v->nr_properties = i + 1;
	return CL_SUCCESS;
}

static cl_int divide(cl_device_id d, struct division *v)
{
	cl_device_partition_property kinds[MAX_KINDS];
	uint32_t units = units_of(d), max_devices = max_sub_devices(d);
	size_t nr_kinds, i;

	if (max_devices == 0)
		return CL_DEVICE_PARTITION_FAILED;
	nr_kinds = kinds_of(d, kinds);
	for (i = 0; i < nr_kinds && kinds[i] != v->properties[0]; i++)
		;
	if (i == nr_kinds)
		return CL_INVALID_VALUE;
	if (v->properties[0] == CL_DEVICE_PARTITION_EQUALLY)
		return divide_equally(units, v);
	return divide_by_counts(units, max_devices, v);
}

static cl_int make_all(cl_device_id d, const struct division *v, cl_device_id *ret)
{
	uint32_t first = d->parent ? d->first_unit : 0;

	for (uint32_t i = 0; i < v->nr_devices; i++) {
		uint32_t nr = units_asked(v, i);

		ret[i] = subdevice_new(d, first, nr, v->properties, v->nr_properties);
		if (!ret[i]) {
			while (i-- > 0)
				clReleaseDevice(ret[i]);
			return CL_OUT_OF_HOST_MEMORY;
		}
		first += nr;
	}
	return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clCreateSubDevices(cl_device_id in_device,
						   const cl_device_partition_property *properties, cl_uint num_devices,
						   cl_device_id *out_devices, cl_uint *num_devices_ret)
{
	struct division v = { .properties = properties };
	cl_int error;

	if (!IS_DEVICE(in_device))
		return CL_INVALID_DEVICE;
	if (!properties || (num_devices > 0) != (out_devices != NULL))
		return CL_INVALID_VALUE;
	error = device_connect(in_device);
	if (!error)
		error = divide(in_device, &v);
	if (!error && out_devices && num_devices < v.nr_devices)
		error = CL_INVALID_VALUE;
	if (!error && out_devices)
		error = make_all(in_device, &v, out_devices);
	if (!error && num_devices_ret)
		*num_devices_ret = v.nr_devices;
	return error;
}
