/* SPDX-License-Identifier: MIT */
/* C16: MSI-X: the table, the pending bits, and vectors that come and go while others are wired. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"
#include "pci_fake.h"

#define NR 70u
#define TABLE 0x1000u
#define PBA 0x2008u
#define BAR_SIZE 0x4000u

static struct pci_fake fake;
static int fds[3];
static uint8_t storage[BAR_SIZE];

static int rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	memcpy(is_write ? storage + offset : buf, is_write ? buf : storage + offset, len);
	return 0;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar bar = { .size = BAR_SIZE, .rw = rw };

	assert_int_equal(trn_pci_add_bar(pci, 2, &bar, err), 0);
	assert_true(trn_pci_add_msix(pci, NR, 2, TABLE, PBA, err) > 0);
	return 0;
}

static int setup(void **state)
{
	memset(storage, 0x5a, sizeof(storage));
	fake = (struct pci_fake){ .build = build };
	pci_fake_start(&fake);
	config_enable(&fake);
	for (unsigned int i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	for (unsigned int i = 0; i < 3; i++)
		base_close(fds[i]);
	return 0;
}

static uint64_t drain(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int wire(uint32_t start, uint32_t count, const int *what)
{
	const struct trn_irq_set s = {
		.index = TRN_PCI_IRQ_MSIX,
		.start = start,
		.count = count,
		.action = TRN_IRQ_TRIGGER,
		.data = TRN_IRQ_DATA_EVENTFD,
		.fds = what,
	};

	return trn_use_set_irqs(fake.use, &s);
}

static uint32_t get(uint32_t offset)
{
	uint32_t v = 0;

	assert_int_equal(trn_use_region_read(fake.use, 2, offset, &v, 4), 0);
	return v;
}

static void put(uint32_t offset, uint32_t v)
{
	assert_int_equal(trn_use_region_write(fake.use, 2, offset, &v, 4), 0);
}

static void test_table_is_storage(void **state)
{
	for (uint32_t i = 0; i < NR; i++) {
		uint32_t at = TABLE + 16 * i;

		assert_int_equal(get(at) | get(at + 4) | get(at + 8), 0);
		assert_int_equal(get(at + 12), 1); /* masked after a reset */
		put(at, 0xfee00003 + i * 16);
		put(at + 4, i);
		put(at + 8, 0x4000 + i);
		put(at + 12, 0xfffffffe);
	}
	for (uint32_t i = 0; i < NR; i++) {
		uint32_t at = TABLE + 16 * i;

		assert_int_equal(get(at), 0xfee00000 + i * 16);
		assert_int_equal(get(at + 4), i);
		assert_int_equal(get(at + 8), 0x4000 + i);
		assert_int_equal(get(at + 12), 0);
	}
	assert_int_equal(get(TABLE - 4), 0x5a5a5a5a);
	assert_int_equal(get(TABLE + 16 * NR), 0x5a5a5a5a);
	assert_int_equal(trn_use_reset(fake.use), 0);
	config_enable(&fake);
	assert_int_equal(get(TABLE), 0);
	assert_int_equal(get(TABLE + 16 * NR - 4), 1);
}

/* Any length and alignment, over the edges of the table and of the pending bits. */
static void test_odd_accesses(void **state)
{
	uint8_t bytes[16 * NR + 10], back[sizeof(bytes)];

	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(trn_use_region_write(fake.use, 2, TABLE - 5, bytes, sizeof(bytes)), 0);
	assert_int_equal(trn_use_region_read(fake.use, 2, TABLE - 5, back, sizeof(back)), 0);
	for (unsigned int i = 0; i < sizeof(back); i++) {
		unsigned int at = (i - 5) % 16;
		bool is_inside = i >= 5 && i < 5 + 16 * NR;

		assert_int_equal(back[i], !is_inside || (at && at < 12) ? 0xff : at == 12 ? 1 : at == 0 ? 0xfc : 0);
	}
	assert_int_equal(storage[TABLE - 1], 0xff);
	assert_int_equal(storage[TABLE], 0x5a);
	assert_int_equal(storage[TABLE + 16 * NR], 0xff);

	assert_int_equal(trn_use_region_write(fake.use, 2, PBA - 3, bytes, 30), 0);
	assert_int_equal(trn_use_region_read(fake.use, 2, PBA - 3, back, 30), 0);
	for (unsigned int i = 0; i < 30; i++)
		assert_int_equal(back[i], i < 3 || i >= 3 + 16 ? 0xff : 0); /* read-only, nothing pends */
}

static void test_pending_bits(void **state)
{
	assert_int_equal(wire(0, 1, fds), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 33), 0);
	assert_int_equal(trn_pci_fire(fake.pci, NR - 1), 0);
	assert_int_equal(get(PBA), 0);
	assert_int_equal(get(PBA + 4), 1u << 1);
	assert_int_equal(get(PBA + 8), 1u << (NR - 1 - 64));
	assert_int_equal(get(PBA + 12), 0);
	assert_int_equal(wire(33, 1, fds + 1), 0);
	assert_int_equal(drain(fds[1]), 1);
	assert_int_equal(get(PBA + 4), 0);
	assert_int_equal(trn_use_reset(fake.use), 0);
	config_enable(&fake);
	assert_int_equal(get(PBA + 8), 0);
}

/* No NORESIZE: vectors are added and taken away while others are in use. */
static void test_vectors_come_and_go(void **state)
{
	const int none[] = { -1, -1 };

	assert_int_equal(wire(0, 1, none), 0);
	assert_int_equal(wire(NR - 1, 1, fds), 0);
	assert_int_equal(wire(10, 2, fds + 1), 0);
	assert_int_equal(trn_pci_fire(fake.pci, NR - 1), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 11), 0);
	assert_int_equal(drain(fds[0]), 1);
	assert_int_equal(drain(fds[1]), 0);
	assert_int_equal(drain(fds[2]), 1);
	assert_int_equal(wire(10, 2, none), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 10), 0);
	assert_int_equal(trn_pci_fire(fake.pci, NR - 1), 0);
	assert_int_equal(drain(fds[1]), 0);
	assert_int_equal(drain(fds[0]), 1);
	assert_int_equal(wire(NR - 1, 2, fds), -EINVAL); /* beyond the table */
	assert_int_equal(wire(UINT32_MAX, 2, fds), -EINVAL);
	/* All unwired one by one, the kind is still in use. */
	assert_int_equal(wire(NR - 1, 1, none), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 3), 0);
}

/* Holders act on the table's masks by wiring; what is wired fires. */
static void test_mask_of_the_table_holds_nothing_back(void **state)
{
	assert_int_equal(wire(4, 1, fds), 0);
	assert_int_equal(get(TABLE + 4 * 16 + 12), 1);
	assert_int_equal(trn_pci_fire(fake.pci, 4), 0);
	assert_int_equal(drain(fds[0]), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table_is_storage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_accesses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vectors_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mask_of_the_table_holds_nothing_back, setup, teardown),
	};

	return unit_run(tests);
}
