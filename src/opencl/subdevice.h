/* SPDX-License-Identifier: MIT */
/* What a device and its sub-devices can be divided into, and the making of one. */
#ifndef OPENCL_SUBDEVICE_H
#define OPENCL_SUBDEVICE_H

#include "opencl/objects.h"

#define SUBDEVICE_MAX_KINDS 8

/* Compute units of the device (connected before), and into how many parts it can be divided: 0, if into none. */
uint32_t subdevice_units(cl_device_id d);
uint32_t subdevice_max(cl_device_id d);
/* The ways in which it can be divided, of those that the host has. Return: how many. */
size_t subdevice_kinds(cl_device_id d, cl_device_partition_property ret[SUBDEVICE_MAX_KINDS]);

/*
 * The part with nr_units of the root's units from first_unit on; one reference, which is the program's. @partition: as the
 * program gave it, nr_partition words with the closing 0. NULL: no memory.
 */
cl_device_id subdevice_new(cl_device_id parent, uint32_t first_unit, uint32_t nr_units,
			   const cl_device_partition_property *partition, size_t nr_partition);

#endif
