/* SPDX-License-Identifier: MIT */
#include "parents/variants/info.h"

#include <endian.h>

#include "tranche/pci.h"

static int add_ports(const struct trn_device *dev, struct trn_caps *caps)
{
	struct trn_parent *parent = trn_type_parent(trn_device_type(dev));
	struct trn_resources quota, left;

	trn_device_get_resources(dev, &quota);
	trn_parent_get_capacity(parent, NULL, &left);

	const struct info_cap_ports ports = {
		.nr_ports = htole32((uint32_t)quota.amount[TRN_RESOURCE_UNITS]),
		.nr_free = htole32((uint32_t)left.amount[TRN_RESOURCE_UNITS]),
	};

	return trn_caps_add(caps, INFO_CAP_PORTS, 1, &ports, sizeof(ports));
}

static int info_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps)
{
	const struct trn_device *dev = trn_use_device(use);
	int r = trn_pci_op_caps(use, index, caps);

	if (r < 0 || index != TRN_CAPS_OF_DEVICE)
		return r;
	r = add_ports(dev, caps);
	if (r < 0)
		return r;
	return trn_caps_add(caps, INFO_CAP_LABEL, 1, trn_device_uuid(dev), TRN_UUID_SIZE);
}

static const struct trn_device_ops info_ops = {
	.name = "info",
	.device_api = TRN_PCI_DEVICE_API,
	.init = mtty_init,
	.release = mtty_release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.caps = info_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = trn_pci_op_region_fd,
	.region_areas = trn_pci_op_region_areas,
	.region_ioeventfds = trn_pci_op_region_ioeventfds,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	.dma_map = NULL,
	.dma_unmap = NULL,
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

int info_parent_register(struct trn_core *core, const char *name, struct mtty_config *config, struct trn_parent **ret,
			 struct trn_error *err)
{
	static const struct trn_type_desc types[] = {
		{ .name = "1", .pretty_name = "serial card that says more, one port", .cost.amount[TRN_RESOURCE_UNITS] = 1 },
		{ .name = "2", .pretty_name = "serial card that says more, two ports", .cost.amount[TRN_RESOURCE_UNITS] = 2 },
	};
	const struct trn_parent_desc desc = {
		.name = name,
		.ops = &info_ops,
		.types = types,
		.nr_types = 2,
		.capacity.amount[TRN_RESOURCE_UNITS] = MTTY_PARENT_PORTS,
		.priv = config,
	};

	return trn_parent_register(core, &desc, ret, err);
}
