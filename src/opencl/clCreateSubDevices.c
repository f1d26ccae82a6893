/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"
#include "opencl/subdevice.h"

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
	cl_device_partition_property kinds[SUBDEVICE_MAX_KINDS];
	uint32_t units = subdevice_units(d), max_devices = subdevice_max(d);
	size_t nr_kinds, i;

	if (max_devices == 0)
		return CL_DEVICE_PARTITION_FAILED;
	nr_kinds = subdevice_kinds(d, kinds);
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
