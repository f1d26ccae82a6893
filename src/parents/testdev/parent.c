/* SPDX-License-Identifier: MIT */
#include "parents/testdev/testdev.h"

#include <string.h>

#include "parents/testdev/priv.h"

static int init(struct trn_device *dev, struct trn_error *err)
{
	return testdev_init(dev, !strcmp(trn_type_name(trn_device_type(dev)), "testdev-full"), err);
}

static const struct trn_device_ops testdev_ops = {
	.name = "testdev",
	.device_api = TRN_PCI_DEVICE_API,
	.init = init,
	.release = testdev_release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.caps = trn_pci_op_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = trn_pci_op_region_fd,
	.region_areas = trn_pci_op_region_areas,
	.region_ioeventfds = trn_pci_op_region_ioeventfds,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	/* The library reaches the holder's memory by trn_use_dma(); it need not know the maps. */
	.dma_map = NULL,
	.dma_unmap = NULL,
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

int testdev_parent_register(struct trn_core *core, const char *name, struct trn_parent **ret, struct trn_error *err)
{
	static const struct trn_type_desc types[] = {
		{
			.name = "full",
			.pretty_name = "one of everything that a PCI device can have",
			.cost.amount[TRN_RESOURCE_UNITS] = 1,
		},
		{
			.name = "plain",
			.pretty_name = "registers alone",
			.cost.amount[TRN_RESOURCE_UNITS] = 1,
		},
	};
	struct trn_parent_desc desc = {
		.name = name,
		.ops = &testdev_ops,
		.types = types,
		.nr_types = 2,
		.capacity.amount[TRN_RESOURCE_UNITS] = 1024,
	};

	return trn_parent_register(core, &desc, ret, err);
}
