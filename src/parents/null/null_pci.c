/* SPDX-License-Identifier: MIT */
#include "parents/null/null_pci.h"

#include "tranche/pci.h"

static int init(struct trn_device *dev, struct trn_error *err)
{
	static const struct trn_pci_params params = { .ids = { .vendor = 0x1af4, .device = 0x10f1, .class_code = 0xff0000 } };
	struct trn_pci *pci;
	int r = trn_pci_create(dev, &params, &pci, err);

	if (r < 0)
		return r;
	r = trn_pci_realize(pci, err);
	if (r < 0)
		trn_pci_destroy(pci);
	return r;
}

static void release(struct trn_device *dev)
{
	trn_pci_destroy(trn_pci_of(dev));
}

static const struct trn_device_ops null_pci_ops = {
	.name = "null",
	.device_api = TRN_PCI_DEVICE_API,
	.init = init,
	.release = release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
};

int null_pci_parent_register(struct trn_core *core, const char *name, struct trn_parent **ret, struct trn_error *err)
{
	static const struct trn_type_desc type = {
		.name = "small",
		.pretty_name = "a configuration space and nothing else",
		.cost.amount[TRN_RESOURCE_UNITS] = 1,
	};
	struct trn_parent_desc desc = {
		.name = name,
		.ops = &null_pci_ops,
		.types = &type,
		.nr_types = 1,
		.capacity.amount[TRN_RESOURCE_UNITS] = 1024,
	};

	return trn_parent_register(core, &desc, ret, err);
}
