/* SPDX-License-Identifier: MIT */
#include <sys/sysinfo.h>

#include "parents/compute/priv.h"

uint64_t compute_host_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

static const struct trn_device_ops compute_ops = {
	.name = "compute",
	.device_api = "compute",
	.init = compute_device_create,
	.release = compute_device_destroy,
	/* The core counts the uses, and that is all there is to one. */
	.open = NULL,
	.close = NULL,
	.request = NULL,
	.reset = NULL,
	/* Process mode has no regions: all goes over the socket. */
	.region_info = NULL,
	.region_rw = NULL,
	.region_fd = NULL,
	.irq_info = NULL,
	.set_irqs = NULL,
	.dma_map = NULL,
	.dma_unmap = NULL,
};

int compute_parent_register(struct trn_core *core, const char *name, const struct compute_config *config,
			    struct trn_parent **ret, struct trn_error *err)
{
	uint64_t memory = compute_host_memory();
	struct trn_type_desc types[] = {
		{
			.name = "memory",
			.pretty_name = "a share of the host device's memory",
			.cost.amount[TRN_RESOURCE_MEMORY] = memory,
			.cost.amount[TRN_RESOURCE_SESSIONS] = COMPUTE_MAX_SESSIONS,
			.adjustable = 1u << TRN_RESOURCE_MEMORY | 1u << TRN_RESOURCE_TIME,
		},
		{
			.name = "pci",
			.pretty_name = "the same for a virtual machine, as a PCI device",
			.cost.amount[TRN_RESOURCE_MEMORY] = memory,
			.cost.amount[TRN_RESOURCE_SESSIONS] = 1, /* a VMM */
			.adjustable = 1u << TRN_RESOURCE_MEMORY | 1u << TRN_RESOURCE_TIME,
			.ops = &compute_face_ops,
		},
	};
	struct trn_parent_desc desc = {
		.name = name,
		.ops = &compute_ops,
		.types = types,
		.nr_types = sizeof(types) / sizeof(types[0]),
		.capacity.amount[TRN_RESOURCE_MEMORY] = memory,
		.capacity.amount[TRN_RESOURCE_TIME] = 1000,
		/* Sessions are processes here: they are bounded for each device, not shared out. */
		.capacity.amount[TRN_RESOURCE_SESSIONS] = UINT32_MAX,
		.priv = (void *)(uintptr_t)config,
	};

	return trn_parent_register(core, &desc, ret, err);
}
