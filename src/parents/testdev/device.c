/* SPDX-License-Identifier: MIT */
/* The shape of the device: BARs, capabilities, ROM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parents/testdev/priv.h"

#define CAP_VENDOR 0x09
#define EXT_CAP_VENDOR 0x0b
#define EXT_CAP_SERIAL 0x03
#define VENDOR 0x1af4
#define DEVICE 0x10f0
#define CLASS_CODE 0xff0000u

/* Of the vendor capability, from its header on. */
#define CAP_LEN 16u
#define CAP_COUNT 12u

static int io_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct testdev *t = trn_pci_priv(pci);

	if (is_write)
		memcpy(t->state.io + offset, buf, len);
	else
		memcpy(buf, t->state.io + offset, len);
	return 0;
}

/* Two areas, so that a hole in the middle is tried. */
static ssize_t ram_areas(struct trn_pci *pci, struct trn_span *ret, size_t max)
{
	static const struct trn_span areas[] = { { 0, 0x4000 }, { 0x8000, TESTDEV_RAM_SIZE - 0x8000 } };

	for (size_t i = 0; i < 2 && i < max; i++)
		ret[i] = areas[i];
	return 2;
}

/* The count is part of configuration space alone: so reset and migration take care of it. */
static void handle_cap_written(struct trn_pci *pci, unsigned int offset, unsigned int len)
{
	struct testdev *t = trn_pci_priv(pci);
	uint32_t count;

	trn_pci_config_read(pci, t->vendor_cap + CAP_COUNT, &count, sizeof(count));
	count++;
	trn_pci_config_set(pci, t->vendor_cap + CAP_COUNT, &count, sizeof(count));
}

static int add_vendor_cap(struct testdev *t, struct trn_error *err)
{
	static const uint8_t data[CAP_LEN - 2] = { CAP_LEN, 0, 'T', 'S', 'T', 'D' };
	static const uint8_t writable[CAP_LEN - 2] = { [6] = 0xff, 0xff, 0xff, 0xff };
	struct trn_pci_cap cap = {
		.id = CAP_VENDOR, .data = data, .writable = writable, .len = sizeof(data), .written = handle_cap_written
	};
	int r = trn_pci_add_cap(t->pci, &cap, err);

	if (r >= 0)
		t->vendor_cap = (unsigned int)r;
	return r;
}

static int add_ext_caps(struct trn_pci *pci, struct trn_error *err)
{
	static const uint8_t serial[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	/* A header of its own (id 1, revision 1, 16 bytes in all), then free bytes. */
	static const uint8_t vendor[] = { 0x01, 0x00, 0x01, 0x01, 'T', 'S', 'T', 'D', 'V', 'S', 'E', 'C' };
	static const struct trn_pci_cap caps[] = {
		{ .id = EXT_CAP_SERIAL, .version = 1, .data = serial, .len = sizeof(serial) },
		{ .id = EXT_CAP_VENDOR, .version = 1, .data = vendor, .len = sizeof(vendor) },
	};
	int r = trn_pci_add_ext_cap(pci, &caps[0], err);

	return r < 0 ? r : trn_pci_add_ext_cap(pci, &caps[1], err);
}

static int add_caps(struct testdev *t, struct trn_error *err)
{
	struct trn_pci *pci = t->pci;
	int r = trn_pci_add_pm(pci, err);

	if (r >= 0)
		r = trn_pci_add_msi(pci, 4, err);
	if (r >= 0)
		r = trn_pci_add_msix(pci, 8, 4, 0, 0x2000, err);
	if (r >= 0)
		r = trn_pci_add_express(pci, err);
	if (r >= 0)
		r = add_vendor_cap(t, err);
	return r < 0 ? r : add_ext_caps(pci, err);
}

/* The first bytes of an expansion ROM and the structure that describes it, so that a guest's kernel finds its length; the
 * code is for no processor (0xff), so that firmware does not run it. */
static int set_rom(struct trn_pci *pci, struct trn_error *err)
{
	static const uint8_t head[] = {
		0x55, 0xaa, 4, /* units of 512 bytes */
		[0x18] = 0x1c, 0, /* where the structure is */
		[0x1c] = 'P', 'C', 'I', 'R', VENDOR & 0xff, VENDOR >> 8, DEVICE & 0xff, DEVICE >> 8,
		[0x26] = 0x18, 0, /* its length */
		[0x29] = 0x00, 0x00, CLASS_CODE >> 16, 4, 0, /* class, units of 512 bytes */
		[0x30] = 0xff, 0x80, /* code, last image */
	};
	uint8_t rom[2048] = { 0 };

	memcpy(rom, head, sizeof(head));
	for (size_t i = 0x40; i < sizeof(rom); i++)
		rom[i] = (uint8_t)i;
	return trn_pci_set_rom(pci, rom, sizeof(rom), err);
}

static int add_bars(struct testdev *t, struct trn_error *err)
{
	static const struct trn_pci_bar bar0 = { .size = TESTDEV_BAR0_SIZE, .rw = testdev_bar0_rw };
	static const struct trn_pci_bar bar1 = { .size = TESTDEV_IO_SIZE, .flags = TRN_PCI_BAR_IO, .rw = io_rw };
	static const struct trn_pci_bar bar2 = {
		.size = TESTDEV_RAM_SIZE,
		.flags = TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP,
		.areas = ram_areas,
	};
	static const struct trn_pci_bar bar4 = { .size = TESTDEV_BAR4_SIZE, .flags = TRN_PCI_BAR_RAM };
	static const struct trn_pci_bar own = { .size = 8192, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };
	int r = trn_pci_add_bar(t->pci, 0, &bar0, err);

	if (r < 0 || !t->is_full)
		return r;
	r = trn_pci_add_bar(t->pci, 1, &bar1, err);
	if (r >= 0)
		r = trn_pci_add_bar(t->pci, 2, &bar2, err);
	if (r >= 0)
		r = trn_pci_add_bar(t->pci, 4, &bar4, err);
	if (r >= 0)
		r = trn_pci_add_region(t->pci, 1u << 31 | VENDOR, 1, &own, err);
	return r < 0 ? r : set_rom(t->pci, err);
}

static void handle_activity(struct trn_pci *pci, enum trn_pci_activity activity)
{
	if (activity != TRN_PCI_ACTIVE)
		testdev_dma_forget(trn_pci_priv(pci), 0x80000000u | ECANCELED);
}

static const struct trn_pci_ops pci_ops = {
	.reset = testdev_reset,
	.activity = handle_activity,
};

static void free_testdev(struct testdev *t)
{
	trn_pci_destroy(t->pci);
	testdev_doorbells_finish(t);
	free(t);
}

int testdev_init(struct trn_device *dev, bool is_full, struct trn_error *err)
{
	struct testdev *t = calloc(1, sizeof(*t));
	struct trn_pci_params params = {
		.ids = { .vendor = VENDOR, .device = DEVICE, .subsystem_vendor = VENDOR, .subsystem = 0x1100,
			 .class_code = CLASS_CODE, .revision = 1 },
		.flags = is_full ? TRN_PCI_EXPRESS | TRN_PCI_INTX | TRN_PCI_ASK_TO_LEAVE | TRN_PCI_ERR : 0,
		.ops = &pci_ops,
		.migration = is_full ? &testdev_migration : NULL,
		.priv = t,
	};
	int r;

	if (!t)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the device");
	t->is_full = is_full;
	for (unsigned int i = 0; i < TESTDEV_NR_DOORBELLS; i++)
		t->doorbells[i] = -1;
	r = trn_pci_create(dev, &params, &t->pci, err);
	if (r >= 0)
		r = add_bars(t, err);
	if (r >= 0 && is_full)
		r = add_caps(t, err);
	if (r >= 0)
		r = testdev_doorbells_init(t, err);
	if (r >= 0)
		r = trn_pci_realize(t->pci, err);
	if (r < 0)
		free_testdev(t);
	return r < 0 ? r : 0;
}

void testdev_release(struct trn_device *dev)
{
	free_testdev(trn_pci_priv(trn_pci_of(dev)));
}
