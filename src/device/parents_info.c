/* SPDX-License-Identifier: MIT */
/* The serial card with more to be told of it: as the card, with its options. */
#include "device/parents.h"
#include "device/process.h"
#include "parents/variants/info.h"

static int register_info(struct device_process *p, struct trn_error *err)
{
	int r = device_mtty_configure(p, err);

	return r < 0 ? r : info_parent_register(p->core, p->driver->name, p->config, &p->parent, err);
}

const struct device_driver device_driver_info = {
	.name = "info",
	.service = &device_service_pci,
	.keys = device_mtty_keys,
	.register_parent = register_info,
	.announce = device_mtty_announce,
};
