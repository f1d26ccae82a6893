/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "parents/bochs/priv.h"

#define MIB ((uint64_t)1 << 20)
#define POOL (256 * MIB)

static const struct bochs_model models[] = {
	{ "small", "display with 4 MiB, up to 800x600", 4 * MIB, 800, 600, 800, 600 },
	{ "medium", "display with 16 MiB, up to 1920x1440", 16 * MIB, 1920, 1440, 1024, 768 },
	{ "large", "display with 64 MiB, any mode that fits", 64 * MIB, 0, 0, 1920, 1080 },
};
#define NR_MODELS (sizeof(models) / sizeof(models[0]))

struct parent {
	char *screen_path; /* NULL: none */
};

/* By what the device has taken of the parent, so that a variant's types may have names of their own. */
static const struct bochs_model *model_of(const struct trn_device *dev)
{
	struct trn_resources quota;

	trn_device_get_resources(dev, &quota);
	for (size_t i = 0; i < NR_MODELS; i++)
		if (models[i].memory == quota.amount[TRN_RESOURCE_MEMORY])
			return &models[i];
	return NULL;
}

/* The monitor stays plugged in. */
static void reset(struct trn_pci *pci)
{
	struct bochs *b = trn_pci_priv(pci);
	void *memory = trn_pci_ram(pci, BOCHS_BAR_MEMORY);

	memset(b->regs, 0, sizeof(b->regs));
	/* Gives the pages back as well, where that is possible. */
	if (madvise(memory, b->model->memory, MADV_REMOVE) < 0)
		memset(memory, 0, b->model->memory);
	trn_pci_ram_wrote(pci, BOCHS_BAR_MEMORY, 0, b->model->memory);
}

static const struct trn_pci_ops pci_ops = {
	.reset = reset,
};

static int add_regions(struct bochs *b, struct trn_error *err)
{
	const struct trn_pci_bar memory = {
		.size = b->model->memory,
		.flags = TRN_PCI_BAR_PREFETCH | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP,
	};
	const struct trn_pci_bar mmio = { .size = BOCHS_MMIO_SIZE, .rw = bochs_mmio_rw };
	const struct trn_pci_bar edid = { .size = BOCHS_EDID_REGION_SIZE, .rw = bochs_edid_rw };
	int r;

	r = trn_pci_add_bar(b->pci, BOCHS_BAR_MEMORY, &memory, err);
	if (r < 0)
		return r;
	r = trn_pci_add_bar(b->pci, BOCHS_BAR_MMIO, &mmio, err);
	if (r < 0)
		return r;
	r = trn_pci_add_region(b->pci, VFIO_REGION_TYPE_GFX, VFIO_REGION_SUBTYPE_GFX_EDID, &edid, err);
	return r < 0 ? r : 0;
}

static int make(struct trn_device *dev, struct bochs *b, struct trn_error *err)
{
	const struct trn_pci_params params = {
		/* Revision 1: newer ones have registers behind the others, which nobody needs here. */
		.ids = { .vendor = 0x1234, .device = 0x1111, .subsystem_vendor = 0x1af4, .subsystem = 0x1100,
			 .class_code = 0x038000, .revision = 1 },
		.ops = &pci_ops,
		.migration = &bochs_migration,
		.priv = b,
	};
	const struct parent *parent = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	int r;

	r = trn_pci_create(dev, &params, &b->pci, err);
	if (r < 0)
		return r;
	r = add_regions(b, err);
	if (r == 0)
		r = trn_pci_realize(b->pci, err);
	if (r == 0 && parent->screen_path)
		r = bochs_screen_start(b->pci, parent->screen_path, &b->screen, err);
	if (r < 0)
		trn_pci_destroy(b->pci);
	return r;
}

static int init(struct trn_device *dev, struct trn_error *err)
{
	const struct bochs_model *model = model_of(dev);
	struct bochs *b;
	int r;

	if (!model)
		return trn_error_set(err, -EINVAL, "BadSize", "no display has that much memory");
	b = calloc(1, sizeof(*b));
	if (!b)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a display");
	b->model = model;
	bochs_edid_init(b);
	r = make(dev, b, err);
	if (r < 0)
		free(b);
	return r;
}

static void release(struct trn_device *dev)
{
	struct trn_pci *pci = trn_pci_of(dev);
	struct bochs *b = trn_pci_priv(pci);

	bochs_screen_stop(b->screen);
	trn_pci_destroy(pci);
	free(b);
}

static const struct trn_device_ops bochs_ops = {
	.name = "bochs",
	.device_api = TRN_PCI_DEVICE_API,
	.init = init,
	.release = release,
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
	/* A display never touches its holder's memory. */
	.dma_map = NULL,
	.dma_unmap = NULL,
	.never_dma = true,
	.migration = &trn_pci_migration_ops,
	/* Nothing is ever logged, which spares a VMM to take all its memory as written. */
	.dma_log = &trn_pci_dma_log_ops,
};

static void release_parent(void *priv)
{
	struct parent *parent = priv;

	free(parent->screen_path);
	free(parent);
}

static int register_types(struct trn_core *core, const char *name, struct parent *parent, struct trn_parent **ret,
			  struct trn_error *err)
{
	struct trn_type_desc types[NR_MODELS];
	const struct trn_parent_desc desc = {
		.name = name,
		.ops = &bochs_ops,
		.types = types,
		.nr_types = NR_MODELS,
		.capacity.amount[TRN_RESOURCE_MEMORY] = POOL,
		.priv = parent,
		.release = release_parent,
	};

	for (size_t i = 0; i < NR_MODELS; i++)
		types[i] = (struct trn_type_desc){
			.name = models[i].name,
			.pretty_name = models[i].pretty_name,
			.cost.amount[TRN_RESOURCE_MEMORY] = models[i].memory,
		};
	return trn_parent_register(core, &desc, ret, err);
}

int bochs_parent_register(struct trn_core *core, const char *name, const struct bochs_config *config, struct trn_parent **ret,
			  struct trn_error *err)
{
	struct parent *parent = calloc(1, sizeof(*parent));
	int r = -ENOMEM;

	if (parent && config && config->screen_path)
		parent->screen_path = strdup(config->screen_path);
	if (!parent || (config && config->screen_path && !parent->screen_path))
		trn_error_set(err, r, "NoMemory", "no memory for the parent \"%.60s\"", name);
	else
		r = register_types(core, name, parent, ret, err);
	/* The release call is not made when registering fails. */
	if (r < 0 && parent)
		release_parent(parent);
	return r;
}
