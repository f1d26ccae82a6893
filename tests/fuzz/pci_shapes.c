/* SPDX-License-Identifier: MIT */
#include "pci_shapes.h"

#include <linux/pci_regs.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "input.h"

enum { HAS_PM = 1, HAS_EXPRESS = 2, HAS_VENDOR = 4, HAS_EXT = 8, HAS_ROM = 16, HAS_OWN = 32 };

#define VENDOR_LEN 30u
#define EXT_LEN 12u

struct shape {
	uint32_t flags; /* TRN_PCI_* */
	uint32_t has; /* HAS_* */
	unsigned int nr_msi, nr_msix;
	unsigned int msix_bar;
	uint32_t table_offset, pba_offset;
	struct {
		uint64_t size;
		uint32_t flags;
		bool has_areas; /* and a function for what they leave out */
	} bars[6];
};

#define RAM TRN_PCI_BAR_RAM
#define MEM64 (TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH)

static const struct shape shapes[] = {
	{ .bars = { { 4096, 0, false } } },
	{ .flags = TRN_PCI_INTX, .has = HAS_PM, .nr_msi = 1, .bars = { { 32, TRN_PCI_BAR_IO, false }, { 16, 0, false } } },
	{ .flags = TRN_PCI_INTX | TRN_PCI_ASK_TO_LEAVE, .has = HAS_VENDOR | HAS_ROM, .nr_msix = 5, .msix_bar = 4,
	  .table_offset = 8, .pba_offset = 0x800, .bars = { [2] = { 8192, MEM64 | RAM, false }, [4] = { 4096, 0, false } } },
	{ .flags = TRN_PCI_EXPRESS | TRN_PCI_INTX | TRN_PCI_ERR | TRN_PCI_ASK_TO_LEAVE,
	  .has = HAS_PM | HAS_EXPRESS | HAS_VENDOR | HAS_EXT | HAS_ROM | HAS_OWN, .nr_msi = 32, .nr_msix = 70, .msix_bar = 0,
	  .table_offset = 0x100, .pba_offset = 0xf00,
	  .bars = { { 4096, RAM, false }, { 256, TRN_PCI_BAR_IO, false }, { 1ull << 40, MEM64, false },
		    [4] = { 16384, MEM64 | RAM | TRN_PCI_BAR_MMAP, true } } },
	{ .flags = TRN_PCI_EXPRESS, .has = HAS_EXT, .bars = { [5] = { 4, TRN_PCI_BAR_IO, false } } },
	{ .flags = TRN_PCI_EXPRESS | TRN_PCI_ERR, .has = HAS_EXPRESS,
	  .bars = { { 1u << 31, TRN_PCI_BAR_PREFETCH, false }, [4] = { 1ull << 32, TRN_PCI_BAR_64, false } } },
	{ .flags = TRN_PCI_INTX, .has = HAS_PM | HAS_OWN, .nr_msi = 4, .bars = { [3] = { 4096, RAM | TRN_PCI_BAR_MMAP, false } } },
	{ .has = HAS_PM | HAS_ROM, .nr_msix = 129, .msix_bar = 1, .table_offset = 0, .pba_offset = 0x8000,
	  .bars = { [1] = { 65536, RAM | TRN_PCI_BAR_MMAP, false } } },
};
#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* --- The driver --- */

static int access_bar(struct trn_pci *pci, unsigned int bar, uint64_t offset, uint8_t *buf, size_t len, bool is_write)
{
	struct shaped *s = trn_pci_priv(pci);
	uint8_t *ram = trn_pci_ram(pci, bar), *storage = ram ? ram : s->storage[bar];
	uint64_t size = s->shape->bars[bar].size, end = ram ? size : SHAPED_STORAGE;

	must(len > 0 && offset < size && len <= size - offset);
	for (size_t i = 0; i < len; i++) {
		if (!is_write)
			buf[i] = offset + i < end ? storage[offset + i] : 0;
		else if (offset + i < end)
			storage[offset + i] = buf[i];
	}
	return 0;
}

#define RW_OF_BAR(n) \
	static int rw##n(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write) \
	{ \
		return access_bar(pci, n, offset, buf, len, is_write); \
	}
RW_OF_BAR(0)
RW_OF_BAR(1)
RW_OF_BAR(2)
RW_OF_BAR(3)
RW_OF_BAR(4)
RW_OF_BAR(5)

static int (*const rws[])(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write) = {
	rw0, rw1, rw2, rw3, rw4, rw5,
};

static ssize_t areas(struct trn_pci *pci, struct trn_span *ret, size_t max)
{
	static const struct trn_span list[] = { { 0x1000, 0x1000 }, { 0x3000, 0x1000 } };

	for (size_t i = 0; i < 2 && i < max; i++)
		ret[i] = list[i];
	return 2;
}

static void reset(struct trn_pci *pci)
{
	struct shaped *s = trn_pci_priv(pci);

	memset(s->storage, 0, sizeof(s->storage));
	for (unsigned int i = 0; i < MODEL_NR_REGIONS; i++)
		if (trn_pci_ram(pci, i) && i != TRN_PCI_REGION_ROM)
			memset(trn_pci_ram(pci, i), 0, s->model.regions[i].content_end);
	trn_pci_set_intx(pci, false);
}

static const struct trn_pci_ops pci_ops = { .reset = reset };
static const struct trn_pci_migration migration = { .flags = TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY, .version = 1 };

/* --- Capabilities --- */

static void vendor_written(struct trn_pci *pci, unsigned int offset, unsigned int len)
{
	must(len > 0 && offset < VENDOR_LEN && len <= VENDOR_LEN - offset);
}

static void ext_written(struct trn_pci *pci, unsigned int offset, unsigned int len)
{
	must(len > 0 && offset < EXT_LEN && len <= EXT_LEN - offset);
}

static int add_vendor(struct shaped *s)
{
	static const uint8_t writable[VENDOR_LEN] = { 0, 0, 0xff, 0, 0x0f, 0xf0, [10] = 0xff, 0xff, 0xff, [29] = 0x81 };
	const struct trn_pci_cap cap = { .id = 9, .writable = writable, .len = VENDOR_LEN, .written = vendor_written };
	int at = trn_pci_add_cap(s->pci, &cap, NULL);

	for (unsigned int i = 0; at >= 0 && i < VENDOR_LEN; i++)
		s->model.mask[(unsigned int)at + 2 + i] = writable[i];
	return at;
}

static int add_ext(struct shaped *s)
{
	static const uint8_t writable[EXT_LEN] = { 0xff, [5] = 0x55, [11] = 0xff };
	const struct trn_pci_cap cap = { .id = 0xb, .version = 1, .writable = writable, .len = EXT_LEN, .written = ext_written };
	int at = -1;

	for (unsigned int n = 0; n < 2; n++) {
		at = trn_pci_add_ext_cap(s->pci, &cap, NULL);
		must(at >= 0x100);
		for (unsigned int i = 0; i < EXT_LEN; i++)
			s->model.mask[(unsigned int)at + 4 + i] = writable[i];
		s->nr_ext_caps++;
	}
	return at;
}

static unsigned int added(struct shaped *s, int at)
{
	must(at >= 0x40);
	s->nr_caps++;
	return (unsigned int)at;
}

static void add_caps(struct shaped *s)
{
	const struct shape *shape = s->shape;
	struct model *m = &s->model;

	if (shape->has & HAS_VENDOR)
		added(s, add_vendor(s));
	if (shape->has & HAS_PM) {
		m->pm = added(s, trn_pci_add_pm(s->pci, NULL));
		m->mask[m->pm + PCI_PM_CTRL] = 3;
	}
	if (shape->nr_msi) {
		m->msi = added(s, trn_pci_add_msi(s->pci, shape->nr_msi, NULL));
		m->mask[m->msi + 2] = 0x71;
		model_mask32(m, m->msi + 4, ~3u);
		model_mask32(m, m->msi + 8, ~0u);
		model_mask16(m, m->msi + 12, 0xffff);
	}
	if (shape->nr_msix) {
		unsigned int at = added(s, trn_pci_add_msix(s->pci, shape->nr_msix, shape->msix_bar, shape->table_offset,
							    shape->pba_offset, NULL));

		m->mask[at + 3] = 0xc0;
	}
	if (shape->has & HAS_EXPRESS) {
		m->express = added(s, trn_pci_add_express(s->pci, NULL));
		/* Error reporting, relaxed ordering, no snoop, read request size, FLR. */
		model_mask16(m, m->express + PCI_EXP_DEVCTL, 0xf81f);
	}
	if (shape->has & HAS_EXT)
		must(add_ext(s) >= 0x100);
}

/* --- Regions --- */

static void model_bar(struct model *m, unsigned int i, uint64_t size, uint32_t flags)
{
	unsigned int at = PCI_BASE_ADDRESS_0 + 4 * i;
	uint64_t mask = ~(size - 1);

	model_mask32(m, at, (uint32_t)mask);
	if (flags & TRN_PCI_BAR_64)
		model_mask32(m, at + 4, (uint32_t)(mask >> 32));
	m->regions[i].size = size;
	m->regions[i].content_size = flags & RAM || size < SHAPED_STORAGE ? size : SHAPED_STORAGE;
	m->regions[i].is_io = flags & TRN_PCI_BAR_IO;
}

static void add_bars(struct shaped *s)
{
	for (unsigned int i = 0; i < 6; i++) {
		uint64_t size = s->shape->bars[i].size;
		uint32_t flags = s->shape->bars[i].flags;
		bool has_areas = s->shape->bars[i].has_areas;
		const struct trn_pci_bar bar = {
			.size = size,
			.flags = flags,
			.rw = flags & RAM && !has_areas ? NULL : rws[i],
			.areas = has_areas ? areas : NULL,
		};

		if (!size)
			continue;
		must(trn_pci_add_bar(s->pci, i, &bar, NULL) == 0);
		model_bar(&s->model, i, size, flags);
	}
}

static void add_regions(struct shaped *s)
{
	struct model *m = &s->model;

	add_bars(s);
	if (s->shape->has & HAS_ROM) {
		struct model_region *rom = &m->regions[TRN_PCI_REGION_ROM];

		for (unsigned int i = 0; i < 3000; i++)
			rom->content[i] = (uint8_t)(i * 7 + 0x55);
		must(trn_pci_set_rom(s->pci, rom->content, 3000, NULL) == 0);
		rom->size = rom->content_size = 4096;
		rom->is_read_only = true;
		model_mask32(m, PCI_ROM_ADDRESS, ~4095u | 1);
	}
	if (s->shape->has & HAS_OWN) {
		const struct trn_pci_bar own = { .size = 4096, .flags = RAM | TRN_PCI_BAR_MMAP };

		must(trn_pci_add_region(s->pci, 1, 1, &own, NULL) == TRN_PCI_REGION_FIRST_OWN);
		m->regions[TRN_PCI_REGION_FIRST_OWN].size = own.size;
		m->regions[TRN_PCI_REGION_FIRST_OWN].content_size = own.size;
	}
}

/* --- Making them --- */

static void check_bar_bits(const struct shaped *s)
{
	for (unsigned int i = 0; i < 6; i++) {
		uint32_t flags = s->shape->bars[i].flags;
		uint8_t low = flags & TRN_PCI_BAR_IO ? 1 :
			      (flags & TRN_PCI_BAR_64 ? 4 : 0) | (flags & TRN_PCI_BAR_PREFETCH ? 8 : 0);

		if (s->shape->bars[i].size)
			must(s->model.bytes[PCI_BASE_ADDRESS_0 + 4 * i] == low);
	}
}

static void fill_model(struct shaped *s)
{
	struct model *m = &s->model;

	m->size = s->shape->flags & TRN_PCI_EXPRESS ? 4096 : 256;
	/* I/O, memory, master, parity, SERR, INTx disable. */
	model_mask16(m, PCI_COMMAND, 0x0547);
	m->mask[PCI_CACHE_LINE_SIZE] = m->mask[PCI_LATENCY_TIMER] = m->mask[PCI_INTERRUPT_LINE] = 0xff;
	m->msix.nr_vectors = s->shape->nr_msix;
	m->msix.bar = s->shape->msix_bar;
	m->msix.table_offset = s->shape->table_offset;
	m->msix.pba_offset = s->shape->pba_offset;
	must(trn_pci_config_read(s->pci, 0, m->initial, m->size) == 0);
	model_reset(m);
	check_bar_bits(s);
	s->nr_irqs[TRN_PCI_IRQ_INTX] = s->shape->flags & TRN_PCI_INTX ? 1 : 0;
	s->nr_irqs[TRN_PCI_IRQ_MSI] = s->shape->nr_msi;
	s->nr_irqs[TRN_PCI_IRQ_MSIX] = s->shape->nr_msix;
	s->nr_irqs[TRN_PCI_IRQ_ERR] = s->shape->flags & TRN_PCI_ERR ? 1 : 0;
	s->nr_irqs[TRN_PCI_IRQ_REQ] = s->shape->flags & TRN_PCI_ASK_TO_LEAVE ? 1 : 0;
}

static int init(struct trn_device *dev, struct trn_error *err)
{
	struct shaped *s = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	const struct trn_pci_params params = {
		.ids = { 0x1af4, 0x10f0, 0x1af4, 0x1100, 0xff0102, 3 },
		.flags = s->shape->flags,
		.ops = &pci_ops,
		.migration = s->shape->has & HAS_PM ? &migration : NULL,
		.priv = s,
	};

	must(trn_pci_create(dev, &params, &s->pci, err) == 0);
	add_caps(s);
	add_regions(s);
	must(trn_pci_realize(s->pci, err) == 0);
	fill_model(s);
	return 0;
}

static void release(struct trn_device *dev)
{
	trn_pci_destroy(trn_pci_of(dev));
}

static const struct trn_device_ops device_ops = {
	.name = "shaped",
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
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

static void make(struct trn_core *core, struct shaped *s, unsigned int number)
{
	static const struct trn_type_desc type = { .name = "any", .cost.amount[TRN_RESOURCE_UNITS] = 1 };
	char name[16], uuid[TRN_UUID_SIZE];
	const struct trn_parent_desc desc = {
		.name = name, .ops = &device_ops, .types = &type, .nr_types = 1, .capacity.amount[TRN_RESOURCE_UNITS] = 1, .priv = s,
	};
	const struct trn_create_params params = { .uuid = uuid };
	struct trn_parent *parent;

	s->shape = &shapes[number];
	for (unsigned int i = 0; i < SHAPED_NR_EVENTFDS; i++)
		s->eventfds[i] = eventfd(0, EFD_CLOEXEC);
	snprintf(name, sizeof(name), "shape%u", number);
	snprintf(uuid, sizeof(uuid), "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e%02x", number);
	must(trn_parent_register(core, &desc, &parent, NULL) == 0);
	must(trn_device_create(trn_type_at(parent, 0), &params, &s->dev, NULL) == 0);
}

struct shaped *shaped_get(unsigned int number)
{
	static struct shaped all[NR_SHAPES];
	static struct trn_core *core;

	if (!core) {
		core = trn_core_create();
		must(core);
		for (unsigned int i = 0; i < NR_SHAPES; i++)
			make(core, &all[i], i);
	}
	return &all[number % NR_SHAPES];
}

void shaped_open(struct shaped *s)
{
	must(trn_device_open(s->dev, "the fuzzer", NULL, &s->use, NULL) == 0);
}

void shaped_close(struct shaped *s)
{
	trn_use_close(s->use);
	s->use = NULL;
}
