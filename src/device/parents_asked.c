/* SPDX-License-Identifier: MIT */
/* The device that is moved by asking its parent: with a card of its own. */
#include <errno.h>

#include "device/parents.h"
#include "device/process.h"
#include "parents/variants/asked.h"

static int register_asked(struct device_process *p, struct trn_error *err)
{
	p->config = asked_card_new();
	if (!p->config)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	return asked_parent_register(p->core, p->driver->name, p->config, &p->parent, err);
}

static void free_card(void *config)
{
	asked_card_free(config);
}

const struct device_driver device_driver_asked = {
	.name = "asked",
	.service = &device_service_pci,
	.register_parent = register_asked,
	.free_config = free_card,
};
