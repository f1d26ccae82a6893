/* SPDX-License-Identifier: MIT */
/* Capabilities: both chains, what of them a guest may change, and those that act. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "fake.h"
#include "pci_fake.h"

static struct pci_fake fake;
static unsigned int written_at, written_len, nr_written;

static void note_written(struct trn_pci *pci, unsigned int offset, unsigned int len)
{
	written_at = offset;
	written_len = len;
	nr_written++;
}

/* Bits that can be written begin right behind the header, and the last word is not full. */
static const struct trn_pci_cap short_cap = {
	.id = PCI_CAP_ID_VNDR,
	.data = "\6\0\0",
	.writable = "\0\377\377",
	.len = 3,
	.written = note_written,
};

static int build_short(struct trn_pci *pci, struct trn_error *err)
{
	assert_int_equal(trn_pci_add_cap(pci, &short_cap, err), 0x40);
	return 0;
}

static int nothing_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	return 0;
}

static const uint8_t vendor_data[] = { 16, 0, 'T', 'S', 'T', 'D', 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t vendor_mask[] = { 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x0f, 0xff, 0, 0, 0, 0 };
static const struct trn_pci_cap vendor = {
	.id = PCI_CAP_ID_VNDR,
	.data = vendor_data,
	.writable = vendor_mask,
	.len = sizeof(vendor_data),
	.written = note_written,
};
static const struct trn_pci_cap serial = { .id = PCI_EXT_CAP_ID_DSN, .version = 1, .data = "\1\2\3\4\5\6\7\10", .len = 8 };
static const struct trn_pci_cap vendor_ext = {
	.id = PCI_EXT_CAP_ID_VNDR,
	.version = 2,
	.data = "abcd",
	.writable = "\0\377",
	.len = 2,
	.written = note_written,
};

static int build_all(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar table = { .size = 4096, .rw = nothing_rw };

	assert_int_equal(trn_pci_add_pm(pci, err), 0x40);
	assert_int_equal(trn_pci_add_cap(pci, &vendor, err), 0x48);
	assert_int_equal(trn_pci_add_msi(pci, 4, err), 0x58);
	assert_int_equal(trn_pci_add_msix(pci, 8, 0, 0, 0x800, err), 0x68); /* 0x66 rounded up */
	assert_int_equal(trn_pci_add_express(pci, err), 0x74);
	assert_int_equal(trn_pci_add_ext_cap(pci, &serial, err), 0x100);
	assert_int_equal(trn_pci_add_ext_cap(pci, &vendor_ext, err), 0x10c);
	return trn_pci_add_bar(pci, 0, &table, err);
}

static int setup(void **state)
{
	fake = (struct pci_fake){ .build = build_all, .flags = TRN_PCI_INTX | TRN_PCI_EXPRESS };
	nr_written = 0;
	pci_fake_start(&fake);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	return 0;
}

/* C17: the chain is sane: each capability is found once, behind the other, and a last one ends it. */
static void test_chains(void **state)
{
	static const unsigned int want[][2] = { { PCI_CAP_ID_PM, 0x40 }, { PCI_CAP_ID_VNDR, 0x48 }, { PCI_CAP_ID_MSI, 0x58 },
						{ PCI_CAP_ID_MSIX, 0x68 }, { PCI_CAP_ID_EXP, 0x74 } };

	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(config_find(&fake, want[i][0]), want[i][1]);
	assert_int_equal(config_get(&fake, 0x74 + 1, 1), 0);
	assert_int_equal(config_find(&fake, 0x7f), 0);
	assert_int_equal(config_get(&fake, 0x100, 4), PCI_EXT_CAP_ID_DSN | 1 << 16 | 0x10c << 20);
	assert_int_equal(config_get(&fake, 0x10c, 4), PCI_EXT_CAP_ID_VNDR | 2 << 16);
	assert_int_equal(config_get(&fake, 0x104, 4), 0x04030201);
}

static int build_nothing(struct trn_pci *pci, struct trn_error *err)
{
	return 0;
}

static void test_no_capabilities(void **state)
{
	struct pci_fake f = { .build = build_nothing };

	pci_fake_start(&f);
	assert_int_equal(config_get(&f, PCI_CAPABILITY_LIST, 1), 0);
	assert_int_equal(config_get(&f, PCI_STATUS, 2), 0);
	pci_fake_stop(&f);
}

/* C17: what is not said to be writable is readable alone, and so is the header of each. */
static void test_own_data_and_masks(void **state)
{
	uint8_t bytes[16];

	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(trn_use_region_write(fake.use, 7, 0x48, bytes, 16), 0);
	assert_int_equal(trn_use_region_read(fake.use, 7, 0x48, bytes, 16), 0);
	assert_memory_equal(bytes + 2, ((uint8_t[]){ 16, 0, 'T', 'S', 'T', 'D', 0xff, 0xff, 0x0f, 0xff, 5, 6, 7, 8 }), 14);
	assert_int_equal(bytes[0], PCI_CAP_ID_VNDR);
	assert_int_equal(bytes[1], 0x58);
	assert_int_equal(nr_written, 1);
	assert_int_equal(written_at, 6);
	assert_int_equal(written_len, 4);
	/* The same value again is a write all the same; what changes nothing that may change is none. */
	config_put(&fake, 0x51, 2, 0xffff);
	assert_int_equal(nr_written, 2);
	assert_int_equal(written_at, 7);
	assert_int_equal(written_len, 2);
	config_put(&fake, 0x4c, 4, 0);
	config_put(&fake, 0x54, 4, 0);
	assert_int_equal(nr_written, 2);
	config_put(&fake, 0x10c, 4, 0xffffffff);
	assert_int_equal(nr_written, 2);
	config_put(&fake, 0x110, 4, 0xffffffff);
	assert_int_equal(nr_written, 3);
	assert_int_equal(written_at, 0);
	assert_int_equal(config_get(&fake, 0x110, 4), 'a' | 0xff << 8);
}

static void test_msi(void **state)
{
	unsigned int at = config_find(&fake, PCI_CAP_ID_MSI);

	assert_int_equal(config_get(&fake, at + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT | 2 << 1);
	/* Not more vectors than there are. */
	config_put(&fake, at + PCI_MSI_FLAGS, 2, 0xffff);
	assert_int_equal(config_get(&fake, at + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT | 2 << 1 | 2 << 4 | PCI_MSI_FLAGS_ENABLE);
	config_put(&fake, at + PCI_MSI_FLAGS, 2, 1 << 4);
	assert_int_equal(config_get(&fake, at + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT | 2 << 1 | 1 << 4);
	config_put(&fake, at + PCI_MSI_ADDRESS_LO, 4, 0xffffffff);
	config_put(&fake, at + PCI_MSI_ADDRESS_HI, 4, 0xffffffff);
	config_put(&fake, at + PCI_MSI_DATA_64, 4, 0xffffffff);
	assert_int_equal(config_get(&fake, at + PCI_MSI_ADDRESS_LO, 4), 0xfffffffc);
	assert_int_equal(config_get(&fake, at + PCI_MSI_ADDRESS_HI, 4), 0xffffffff);
	assert_int_equal(config_get(&fake, at + PCI_MSI_DATA_64, 4), 0xffff);
}

static void test_msix(void **state)
{
	unsigned int at = config_find(&fake, PCI_CAP_ID_MSIX);

	config_put(&fake, at + PCI_MSIX_FLAGS, 2, 0xffff);
	assert_int_equal(config_get(&fake, at + PCI_MSIX_FLAGS, 2), 0xc007);
	config_put(&fake, at + PCI_MSIX_TABLE, 4, 0xffffffff);
	config_put(&fake, at + PCI_MSIX_PBA, 4, 0xffffffff);
	assert_int_equal(config_get(&fake, at + PCI_MSIX_TABLE, 4), 0);
	assert_int_equal(config_get(&fake, at + PCI_MSIX_PBA, 4), 0x800);
}

/* C17: FLR is trapped: the bit starts a reset and reads back as 0. */
static void test_function_level_reset(void **state)
{
	unsigned int at = config_find(&fake, PCI_CAP_ID_EXP);
	unsigned int msi = config_find(&fake, PCI_CAP_ID_MSI);

	assert_true(config_get(&fake, at + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	assert_int_equal(config_get(&fake, at + PCI_EXP_FLAGS, 2), 2);
	config_enable(&fake);
	config_put(&fake, msi + PCI_MSI_DATA_64, 2, 0x1234);
	config_put(&fake, at + PCI_EXP_DEVCTL, 2, 0x000f);
	assert_int_equal(config_get(&fake, at + PCI_EXP_DEVCTL, 2), 0x000f);
	assert_int_equal(fake.nr_resets, 0);
	config_put(&fake, at + PCI_EXP_DEVCTL, 2, 0x000f | PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(fake.nr_resets, 1);
	assert_int_equal(config_get(&fake, at + PCI_EXP_DEVCTL, 2), 0x2810);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0);
	assert_int_equal(config_get(&fake, msi + PCI_MSI_DATA_64, 2), 0);
	/* By the byte that has the bit, too, and once. */
	config_put(&fake, at + PCI_EXP_DEVCTL + 1, 1, 0x80);
	assert_int_equal(fake.nr_resets, 2);
}

/* C18: a reset works in each power state. */
static void test_reset_while_asleep(void **state)
{
	config_enable(&fake);
	config_put(&fake, 0x40 + PCI_PM_CTRL, 2, 3);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(config_get(&fake, 0x40 + PCI_PM_CTRL, 2) & 3, 0);
	config_put(&fake, 0x40 + PCI_PM_CTRL, 2, 3);
	config_put(&fake, 0x74 + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(config_get(&fake, 0x40 + PCI_PM_CTRL, 2) & 3, 0);
	assert_int_equal(fake.nr_resets, 2);
}

static int build_until_full(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_cap large = { .id = PCI_CAP_ID_VNDR, .len = 94 };
	const struct trn_pci_cap rest = { .id = PCI_CAP_ID_VNDR, .len = 0 };
	const struct trn_pci_cap ext = { .id = PCI_EXT_CAP_ID_VNDR, .version = 1, .len = 4096 - 256 - 8 };

	assert_int_equal(trn_pci_add_cap(pci, &large, err), 0x40);
	assert_int_equal(trn_pci_add_cap(pci, &large, err), 0xa0);
	assert_int_equal(trn_pci_add_cap(pci, &rest, err), -ENOSPC);
	assert_int_equal(trn_pci_add_pm(pci, NULL), -ENOSPC);
	assert_int_equal(trn_pci_add_ext_cap(pci, &ext, NULL), 0x100);
	assert_int_equal(trn_pci_add_ext_cap(pci, &ext, NULL), -ENOSPC);
	assert_int_equal(trn_pci_add_ext_cap(pci, &serial, NULL), -ENOSPC);
	return -ENOSPC;
}

static void test_no_more_room(void **state)
{
	struct trn_error err = { 0 };

	assert_int_equal(pci_fake_try(build_until_full, TRN_PCI_EXPRESS, &err), -ENOSPC);
	assert_string_equal(err.name, "ConfigFull");
}

static int build_wrongly(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_cap ids[] = { { .id = 0 }, { .id = 256 }, { .id = PCI_CAP_ID_MSI }, { .id = PCI_CAP_ID_EXP } };

	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(trn_pci_add_cap(pci, &ids[i], NULL), -EINVAL);
	assert_int_equal(trn_pci_add_cap(pci, &(struct trn_pci_cap){ .id = 9, .len = SIZE_MAX }, NULL), -ENOSPC);
	assert_int_equal(trn_pci_add_ext_cap(pci, &serial, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_express(pci, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msi(pci, 0, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msi(pci, 3, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msi(pci, 64, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msix(pci, 0, 0, 0, 0, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msix(pci, 2049, 0, 0, 0, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msix(pci, 1, 6, 0, 0x1000, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msix(pci, 1, 0, 4, 0x1000, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_pm(pci, NULL), 0x40);
	assert_int_equal(trn_pci_add_pm(pci, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_msi(pci, 1, NULL), 0x48);
	assert_int_equal(trn_pci_add_msi(pci, 1, NULL), -EINVAL);
	return trn_error_set(err, -EINVAL, "Done", "all of it was refused");
}

static void test_what_is_refused(void **state)
{
	struct trn_error err = { 0 };

	assert_int_equal(pci_fake_try(build_wrongly, 0, &err), -EINVAL);
	assert_string_equal(err.name, "Done");
	/* Too late. */
	assert_int_equal(trn_pci_add_cap(fake.pci, &vendor, NULL), -EINVAL);
	assert_int_equal(trn_pci_add_ext_cap(fake.pci, &serial, NULL), -EINVAL);
}

static unsigned int table_bar, table_at, pba_at;

static int build_table(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar memory = { .size = 4096 }, io = { .size = 64, .flags = TRN_PCI_BAR_IO, .rw = nothing_rw };

	assert_int_equal(trn_pci_add_msix(pci, 65, table_bar, table_at, pba_at, err), 0x40);
	assert_int_equal(trn_pci_add_bar(pci, 0, &memory, err), 0);
	return trn_pci_add_bar(pci, 1, &io, err);
}

static void test_table_must_fit(void **state)
{
	static const struct {
		unsigned int bar, table, pba;
		int result;
	} cases[] = {
		{ 0, 0, 1040, 0 },
		{ 0, 16, 0, 0 },
		{ 0, 3056, 0, 0 },
		{ 0, 0, 1032, -EINVAL }, /* overlap */
		{ 0, 3064, 0, -EINVAL }, /* table too far */
		{ 0, 0, 4088, -EINVAL }, /* pending bits too far: two words */
		{ 1, 0, 32, -EINVAL }, /* I/O */
		{ 2, 0, 2048, -EINVAL }, /* no BAR */
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trn_error err = { 0 };

		table_bar = cases[i].bar;
		table_at = cases[i].table;
		pba_at = cases[i].pba;
		if (pci_fake_try(build_table, 0, &err) != cases[i].result)
			fail_msg("case %u: %s", i, err.text);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A guest's access may begin in the header and end behind the capability: its driver is told of what lies inside. */
static void test_driver_hears_of_its_own_data_alone(void **state)
{
	static const unsigned int accesses[][4] = {
		/* offset, length, what the driver hears */
		{ 0x40, 4, 0, 2 }, { 0x41, 3, 0, 2 }, { 0x43, 1, 1, 1 }, { 0x44, 4, 2, 1 }, { 0x44, 1, 2, 1 },
	};
	struct pci_fake f = { .build = build_short };

	pci_fake_start(&f);
	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		const uint32_t ones = ~0u;

		nr_written = 0;
		assert_int_equal(trn_use_region_write(f.use, TRN_PCI_REGION_CONFIG, accesses[i][0], &ones, accesses[i][1]), 0);
		assert_int_equal(nr_written, 1);
		assert_int_equal(written_at, accesses[i][2]);
		assert_int_equal(written_len, accesses[i][3]);
	}
	config_put(&f, 0x45, 1, 0xff); /* behind it */
	assert_int_equal(nr_written, 1);
	pci_fake_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_chains),
		T(test_no_capabilities),
		T(test_own_data_and_masks),
		cmocka_unit_test(test_driver_hears_of_its_own_data_alone),
		T(test_msi),
		T(test_msix),
		T(test_function_level_reset),
		T(test_reset_while_asleep),
		T(test_no_more_room),
		T(test_what_is_refused),
		T(test_table_must_fit),
	};

	return unit_run(tests);
}
