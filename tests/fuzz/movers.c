/* SPDX-License-Identifier: MIT */
#include "movers.h"

#include <errno.h>
#include <stdio.h>
#include <systemd/sd-event.h>

#include "parents/bochs/bochs.h"
#include "parents/mtty/mtty.h"
#include "parents/testdev/testdev.h"
#include "tranche/pci.h"

#define NR_MOVERS 4u

/* What is shown is inside of the memory, or nothing is. */
static void look_at_screen(struct mover *m)
{
	struct trn_pci *pci = trn_pci_of(m->dev);
	struct bochs_picture *picture = NULL;

	if (bochs_picture_take(pci, &picture, NULL) == 0)
		must(picture->width > 0 && picture->height > 0);
	free(picture);
}

static void put(struct mover *m, uint32_t region, uint64_t offset, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	must(trn_use_region_write(m->use, region, offset, bytes, len) == 0);
}

static void enable(struct mover *m)
{
	put(m, TRN_PCI_REGION_CONFIG, 4, 7, 2);
	put(m, TRN_PCI_REGION_CONFIG, 0x10, 0xfebf1234, 4);
}

/* Some of everything: registers, memory, the pin, a message that waits, the MSI-X table. */
static void use_testdev(struct mover *m)
{
	enable(m);
	put(m, 0, 0x04, 0x12345678, 4);
	put(m, 0, 0x08, 1, 4);
	put(m, 0, 0x80, 0x1122334455667788, 8);
	put(m, 0, 0x10, 1, 4);
	put(m, 0, 0x20, 0x100000, 4);
	put(m, 1, 0, 0xa5a5a5a5, 4);
	put(m, 2, 0x5000, 0x0123456789abcdef, 8);
	put(m, 4, 0x10, 0xfee00000, 8);
	put(m, 4, 0x1c, 0, 4);
	put(m, TRN_PCI_REGION_FIRST_OWN, 0x1000, 0xfedcba9876543210, 8);
	put(m, TRN_PCI_REGION_CONFIG, 0x4, 0x407, 2);
}

static void use_mtty(struct mover *m)
{
	enable(m);
	put(m, 0, 3, 0x83, 1); /* divisor */
	put(m, 0, 0, 1, 1);
	put(m, 0, 3, 0x03, 1);
	put(m, 0, 2, 0x41, 1); /* FIFOs */
	put(m, 0, 1, 0x0f, 1);
	put(m, 0, 4, 0x1b, 1); /* the chip's own loop */
	put(m, 0, 0, 'a', 1);
	put(m, 0, 0, 'b', 1);
	put(m, 0, 4, 0x0b, 1);
	put(m, 0, 0, 'c', 1);
	put(m, 0, 7, 0x5a, 1);
}

static void use_bochs(struct mover *m)
{
	static const uint16_t mode[][2] = { { 1, 640 }, { 2, 480 }, { 3, 32 }, { 4, 0x41 }, { 6, 800 }, { 9, 8 } };

	enable(m);
	for (size_t i = 0; i < sizeof(mode) / sizeof(mode[0]); i++)
		put(m, 2, 0x500 + 2u * mode[i][0], mode[i][1], 2);
	put(m, 0, 0x3000, 0x00ff00ff00ff00ff, 8);
	put(m, 0, 0x200000, 1, 1);
}

static void make(struct mover *m, struct trn_type *type, unsigned int number, void (*use)(struct mover *m))
{
	char uuid[TRN_UUID_SIZE];
	const struct trn_create_params params = { .uuid = uuid };

	snprintf(uuid, sizeof(uuid), "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e%02x", number);
	must(trn_device_create(type, &params, &m->dev, NULL) == 0);
	must(trn_device_open(m->dev, "the fuzzer", NULL, &m->use, NULL) == 0);
	use(m);
	mover_save(m, &m->known);
	stream_find_parts(&m->known);
}

static void make_all(struct mover *all)
{
	static struct mtty_config mtty; /* its lines are loops, and its loop never runs */
	struct trn_core *core = trn_core_create();
	struct trn_parent *testdevs = NULL, *mttys = NULL, *displays = NULL;

	must(core && sd_event_new(&mtty.event) >= 0);
	must(testdev_parent_register(core, "testdev", &testdevs, NULL) == 0);
	must(mtty_parent_register(core, "mtty", &mtty, &mttys, NULL) == 0);
	must(bochs_parent_register(core, "bochs", NULL, &displays, NULL) == 0);
	make(&all[0], trn_type_find(testdevs, "testdev-full"), 0, use_testdev);
	make(&all[1], trn_type_find(mttys, "mtty-1"), 1, use_mtty);
	make(&all[2], trn_type_find(mttys, "mtty-2"), 2, use_mtty);
	all[3].is_display = true;
	make(&all[3], trn_type_find(displays, "bochs-small"), 3, use_bochs);
}

struct mover *mover_get(unsigned int number)
{
	static struct mover all[NR_MOVERS];

	if (!all[0].dev)
		make_all(all);
	return &all[number % NR_MOVERS];
}

static void read_stream(struct mover *m, struct stream *ret)
{
	struct trn_mig_sizes sizes;
	ssize_t n;

	must(trn_use_mig_sizes(m->use, &sizes) == 0);
	while ((n = trn_use_mig_read(m->use, ret->bytes + ret->len, STREAM_MAX - ret->len)) > 0) {
		ret->len += (size_t)n;
		must(ret->len < STREAM_MAX);
	}
	must(n == 0 || n == -ENOMSG);
}

void mover_save(struct mover *m, struct stream *ret)
{
	must(trn_use_mig_set_state(m->use, TRN_MIG_STOP_COPY, NULL) == 0);
	ret->len = 0;
	read_stream(m, ret);
	must(trn_use_mig_set_state(m->use, TRN_MIG_STOP, NULL) == 0);
}

/* As a guest does through a mapping; serial cards have none. */
static void change_memory(struct mover *m, uint8_t value)
{
	uint32_t region = m->is_display ? 0 : TRN_PCI_REGION_FIRST_OWN;
	uint8_t *ram = trn_pci_ram(trn_pci_of(m->dev), region);

	if (ram)
		ram[0x1000 + value] = value;
}

void mover_save_ahead(struct mover *m, struct stream *ret)
{
	must(trn_use_mig_set_state(m->use, TRN_MIG_PRE_COPY, NULL) == 0);
	ret->len = 0;
	read_stream(m, ret);
	change_memory(m, 1);
	read_stream(m, ret);
	change_memory(m, 2);
	must(trn_use_mig_set_state(m->use, TRN_MIG_STOP_COPY, NULL) == 0);
	read_stream(m, ret);
	must(trn_use_mig_set_state(m->use, TRN_MIG_STOP, NULL) == 0);
}

void mover_reopen(struct mover *m)
{
	trn_use_close(m->use);
	must(trn_device_open(m->dev, "the fuzzer", NULL, &m->use, NULL) == 0);
}

/* All of a region from its start on; what is switched off says so. */
static void read_some(struct mover *m)
{
	for (uint32_t i = 0; i <= TRN_PCI_REGION_FIRST_OWN; i++) {
		struct trn_region_info info;
		uint8_t bytes[64];
		int r;

		must(trn_use_region_info(m->use, i, &info) == 0);
		if (!info.size)
			continue;
		r = trn_use_region_read(m->use, i, 0, bytes, info.size < 64 ? info.size : 64);
		must(r == 0 || r == -EIO);
	}
}

void mover_exercise(struct mover *m)
{
	enum trn_mig_state state;
	uint8_t ids[4];

	must(trn_use_mig_set_state(m->use, TRN_MIG_RUNNING, NULL) == 0);
	read_some(m);
	if (m->is_display)
		look_at_screen(m);
	must(trn_use_reset(m->use) == 0);
	must(trn_use_mig_get_state(m->use, &state) == 0 && state == TRN_MIG_RUNNING);
	enable(m);
	read_some(m);
	must(trn_use_region_read(m->use, TRN_PCI_REGION_CONFIG, 0, ids, sizeof(ids)) == 0);
}
