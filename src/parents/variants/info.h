/* SPDX-License-Identifier: MIT */
/*
 * The serial card (parents/mtty/mtty.h) with two capabilities more in the chain of its device info, as platforms add what
 * a VMM must know about a device.  Everything else is the card's.  Types: info-1, info-2 (ports); 24 ports a parent.
 */
#ifndef PARENTS_VARIANTS_INFO_H
#define PARENTS_VARIANTS_INFO_H

#include <stdint.h>

#include "parents/mtty/mtty.h"

/* The ids are of a range that VFIO does not use; both have version 1. */
#define INFO_CAP_PORTS 0xf001u
#define INFO_CAP_LABEL 0xf002u

/* INFO_CAP_PORTS: 8 bytes, little-endian. INFO_CAP_LABEL: the device's UUID, 36 characters and a NUL. */
struct info_cap_ports {
	uint32_t nr_ports;
	uint32_t nr_free; /* ports that its parent had left when it was asked */
};

/* As mtty_parent_register(). */
int info_parent_register(struct trn_core *core, const char *name, struct mtty_config *config, struct trn_parent **ret,
			 struct trn_error *err);

#endif
