/* SPDX-License-Identifier: MIT */
/* The display: where its picture can be had. */
#include "device/parents.h"
#include "device/process.h"
#include "parents/bochs/bochs.h"

static int register_bochs(struct device_process *p, struct trn_error *err)
{
	struct bochs_config config = { .screen_path = device_key_value(p, "screen") };

	return bochs_parent_register(p->core, p->driver->name, &config, &p->parent, err);
}

const struct device_driver device_driver_bochs = {
	.name = "bochs",
	.service = &device_service_pci,
	.keys = (const struct device_key[]){
		{ "screen", "PATH", "socket from which \"tranche screen\" gets a picture" },
		{ 0 },
	},
	.register_parent = register_bochs,
};
