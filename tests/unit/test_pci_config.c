/* SPDX-License-Identifier: MIT */
/* C17.
 * Configuration space: identity, sizes of BARs, what a guest may change, and what COMMAND and the power state gate. */
#define TRANCHE_BUILDING_PCI
#include "pci/pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "fake.h"
#include "pci_fake.h"

static struct pci_fake fake;
static unsigned int pm;

static int echo_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	if (!is_write)
		memset(buf, 0xab, len);
	return 0;
}

static int build_all(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar io = { .size = 32, .flags = TRN_PCI_BAR_IO, .rw = echo_rw };
	static const struct trn_pci_bar memory = { .size = 4096, .rw = echo_rw };
	static const struct trn_pci_bar huge = { .size = 8ull << 30, .flags = TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH, .rw = echo_rw };
	static const struct trn_pci_bar large = { .size = 1 << 20, .flags = TRN_PCI_BAR_64, .rw = echo_rw };
	static const struct trn_pci_bar own = { .size = 100, .rw = echo_rw };

	assert_int_equal(trn_pci_add_bar(pci, 0, &memory, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 1, &io, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 2, &huge, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 4, &large, err), 0);
	assert_int_equal(trn_pci_set_rom(pci, "\x55\xaa", 2, err), 0);
	assert_int_equal(trn_pci_add_region(pci, 1, 1, &own, err), 9);
	pm = (unsigned int)trn_pci_add_pm(pci, err);
	assert_int_equal(pm, 0x40);
	return 0;
}

static int setup(void **state)
{
	fake = (struct pci_fake){ .build = build_all, .flags = TRN_PCI_INTX | TRN_PCI_EXPRESS };
	pci_fake_start(&fake);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	return 0;
}

static void test_identity_is_read_only(void **state)
{
	uint8_t before[64], after[64], ones[16];

	assert_int_equal(config_get(&fake, PCI_VENDOR_ID, 4), 0x10f01af4);
	assert_int_equal(config_get(&fake, PCI_CLASS_REVISION, 4), 0xff010203);
	assert_int_equal(config_get(&fake, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	assert_int_equal(config_get(&fake, PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(trn_use_region_read(fake.use, 7, 0, before, 64), 0);
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(trn_use_region_write(fake.use, 7, PCI_VENDOR_ID, ones, 4), 0);
	assert_int_equal(trn_use_region_write(fake.use, 7, PCI_CLASS_REVISION, ones, 4), 0);
	assert_int_equal(trn_use_region_write(fake.use, 7, PCI_CARDBUS_CIS, ones, 8), 0);
	assert_int_equal(trn_use_region_write(fake.use, 7, PCI_CAPABILITY_LIST, ones, 8), 0);
	assert_int_equal(trn_use_region_read(fake.use, 7, 0, after, 64), 0);
	assert_memory_equal(before, after, 64);
}

/* C17: BAR sizing through masks, 64-bit included. */
static void test_bars_tell_their_size(void **state)
{
	static const uint32_t want[] = { 0xfffff000, 0xffffffe1, 0x0000000c, 0xfffffffe, 0xfff00004, 0xffffffff };

	for (unsigned int i = 0; i < 6; i++)
		config_put(&fake, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0xffffffff);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_0 + 4 * i, 4), want[i]);
	config_put(&fake, PCI_ROM_ADDRESS, 4, 0xffffffff);
	assert_int_equal(config_get(&fake, PCI_ROM_ADDRESS, 4), 0xfffff801);
	for (unsigned int i = 0; i < 6; i++)
		config_put(&fake, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_1, 4), 1);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_2, 4), 0xc);
}

static void test_bars_keep_their_address(void **state)
{
	config_put(&fake, PCI_BASE_ADDRESS_0, 4, 0xfebd1234);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_0, 4), 0xfebd1000);
	config_put(&fake, PCI_BASE_ADDRESS_2, 4, 0);
	config_put(&fake, PCI_BASE_ADDRESS_3, 4, 0x12);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_2, 4), 0xc);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_3, 4), 0x12);
	/* A byte at a time. */
	for (unsigned int i = 0; i < 4; i++)
		config_put(&fake, PCI_BASE_ADDRESS_0 + i, 1, 0x11 * (i + 1));
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_0, 4), 0x44332000);
}

static int region_result(unsigned int index)
{
	uint8_t byte;

	return trn_use_region_read(fake.use, index, 0, &byte, 1);
}

/* C17: the command memory bit gates BARs. */
static void test_command_gates_accesses(void **state)
{
	assert_int_equal(region_result(0), -EIO);
	assert_int_equal(region_result(1), -EIO);
	assert_int_equal(region_result(TRN_PCI_REGION_ROM), -EIO);
	assert_int_equal(region_result(9), 0);
	config_put(&fake, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(region_result(0), 0);
	assert_int_equal(region_result(4), 0);
	assert_int_equal(region_result(1), -EIO);
	assert_int_equal(region_result(TRN_PCI_REGION_ROM), 0);
	config_put(&fake, PCI_COMMAND, 1, PCI_COMMAND_IO);
	assert_int_equal(region_result(0), -EIO);
	assert_int_equal(region_result(1), 0);
	assert_int_equal(trn_use_region_write(fake.use, 0, 0, "x", 1), -EIO);
}

static void test_command_is_reported(void **state)
{
	config_put(&fake, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0x547);
	assert_int_equal(fake.nr_enabled, 1);
	assert_int_equal(fake.command, 0x547);
	config_put(&fake, PCI_COMMAND, 2, 0x7);
	assert_int_equal(fake.nr_enabled, 1);
	config_put(&fake, PCI_COMMAND, 1, 0x3);
	assert_int_equal(fake.nr_enabled, 2);
	assert_int_equal(trn_pci_command(fake.pci), 0x3);
	/* The upper byte alone. */
	config_put(&fake, PCI_COMMAND + 1, 1, 0x4);
	assert_int_equal(trn_pci_command(fake.pci), 0x403);
	assert_int_equal(fake.nr_enabled, 2);
}

/* C17: accesses are chopped, odd sizes are legal. */
static void test_any_length_and_alignment(void **state)
{
	uint8_t whole[4096], again[4096];

	assert_int_equal(trn_use_region_read(fake.use, 7, 0, whole, 4096), 0);
	memset(again, 0xff, sizeof(again));
	/* From the latency timer over three BARs; COMMAND stays. */
	assert_int_equal(trn_use_region_write(fake.use, 7, 0xd, again, 15), 0);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_0, 4), 0xfffff000);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_1, 4), 0xffffffe1);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_2, 4), 0x0000000c);
	assert_int_equal(config_get(&fake, PCI_LATENCY_TIMER, 1), 0xff);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0);
	assert_int_equal(trn_use_region_write(fake.use, 7, 0x3, (uint8_t[]){ 0xff, 0x07, 0xff }, 3), 0);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0x507 & 0x547);
	/* All of it at once, and back. */
	assert_int_equal(trn_use_region_write(fake.use, 7, 0, whole, 4096), 0);
	assert_int_equal(trn_use_region_read(fake.use, 7, 0, again, 4096), 0);
	assert_memory_equal(whole, again, 4096);
	for (unsigned int at = 0; at < 80; at++)
		for (unsigned int len = 1; len < 9; len++) {
			assert_int_equal(trn_use_region_read(fake.use, 7, at, again, len), 0);
			assert_memory_equal(again, whole + at, len);
		}
	assert_int_equal(trn_use_region_read(fake.use, 7, 4095, again, 2), -EINVAL);
}

static void test_interrupt_registers(void **state)
{
	config_put(&fake, PCI_INTERRUPT_LINE, 2, 0xff0b);
	assert_int_equal(config_get(&fake, PCI_INTERRUPT_LINE, 2), 0x010b);
	assert_int_equal(config_get(&fake, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(config_get(&fake, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 4) >> 16 & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
	assert_int_equal(config_get(&fake, PCI_STATUS + 1, 1), 0);
	trn_pci_set_intx(fake.pci, false);
	assert_int_equal(config_get(&fake, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
}

/* C17: power management is trapped. */
static void test_sleep_gates_accesses(void **state)
{
	config_enable(&fake);
	assert_int_equal(region_result(0), 0);
	config_put(&fake, pm + PCI_PM_CTRL, 2, 3);
	assert_int_equal(config_get(&fake, pm + PCI_PM_CTRL, 2), 3 | PCI_PM_CTRL_NO_SOFT_RESET);
	assert_int_equal(region_result(0), -EIO);
	assert_int_equal(region_result(1), -EIO);
	assert_int_equal(trn_pci_command(fake.pci), 0);
	assert_int_equal(fake.command, 0);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 7);
	/* Waking is no reset: COMMAND is as before. */
	config_put(&fake, pm + PCI_PM_CTRL, 2, 0);
	assert_int_equal(region_result(0), 0);
	assert_int_equal(fake.command, 7);
	assert_int_equal(fake.nr_resets, 0);
}

static void test_states_of_power_that_are_not_there(void **state)
{
	for (unsigned int wanted = 1; wanted < 3; wanted++) {
		config_put(&fake, pm + PCI_PM_CTRL, 2, wanted);
		assert_int_equal(config_get(&fake, pm + PCI_PM_CTRL, 2) & 3, 0);
	}
	config_put(&fake, pm + PCI_PM_CTRL, 1, 3);
	config_put(&fake, pm + PCI_PM_CTRL, 4, 1);
	assert_int_equal(config_get(&fake, pm + PCI_PM_CTRL, 2) & 3, 3);
}

/* C18: a reset brings back what stood there when the device was complete. */
static void test_driver_changes_and_reset(void **state)
{
	uint8_t byte = 0;

	assert_int_equal(trn_pci_config_set(fake.pci, PCI_REVISION_ID, "\x09", 1), 0);
	assert_int_equal(trn_pci_config_read(fake.pci, PCI_REVISION_ID, &byte, 1), 0);
	assert_int_equal(byte, 9);
	assert_int_equal(trn_pci_config_set(fake.pci, 4095, "\x09\x09", 2), -EINVAL);
	assert_int_equal(trn_pci_config_read(fake.pci, 4096, &byte, 1), -EINVAL);
	config_enable(&fake);
	config_put(&fake, PCI_BASE_ADDRESS_0, 4, 0x10000000);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(fake.nr_resets, 1);
	assert_int_equal(config_get(&fake, PCI_REVISION_ID, 1), 3);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0);
	assert_int_equal(config_get(&fake, PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(region_result(0), -EIO);
}

static void test_config_of_another_device_is_refused(void **state)
{
	struct trn_error err = { 0 };
	uint8_t bytes[4096];

	config_enable(&fake);
	config_put(&fake, pm + PCI_PM_CTRL, 2, 3);
	assert_int_equal(trn_use_region_read(fake.use, 7, 0, bytes, sizeof(bytes)), 0);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(pci_config_check(fake.pci, bytes, sizeof(bytes), &err), 0);
	assert_int_equal(pci_config_check(fake.pci, bytes, 256, NULL), -EINVAL);
	for (unsigned int at = 0; at < 64; at++) {
		bytes[at] ^= 1;
		if (fake.pci->config.writable[at] & 1 || at == PCI_STATUS + 1)
			assert_int_equal(pci_config_check(fake.pci, bytes, sizeof(bytes), NULL), 0);
		else
			assert_int_equal(pci_config_check(fake.pci, bytes, sizeof(bytes), NULL), -EINVAL);
		bytes[at] ^= 1;
	}
	bytes[pm + PCI_PM_CTRL] = 2 | PCI_PM_CTRL_NO_SOFT_RESET;
	assert_int_equal(pci_config_check(fake.pci, bytes, sizeof(bytes), &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	bytes[pm + PCI_PM_CTRL] = PCI_PM_CTRL_NO_SOFT_RESET;
	trn_pci_lock(fake.pci);
	pci_config_swap(fake.pci, bytes);
	pci_config_update(fake.pci);
	trn_pci_unlock(fake.pci);
	assert_int_equal(fake.command, 7);
	assert_int_equal(region_result(0), 0);
}

static void test_devices_that_are_refused(void **state)
{
	struct pci_fake f = { .flags = 1u << 30 };
	struct trn_error err = { 0 };
	struct trn_pci *pci = NULL;
	struct trn_pci_params params = { .ids.class_code = 1u << 24 };

	assert_int_equal(trn_pci_create(fake.dev, &params, &pci, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	err = (struct trn_error){ 0 };
	assert_int_equal(pci_fake_try(NULL, f.flags, &err), -EINVAL);
	assert_null(pci);
	assert_int_equal(trn_pci_realize(fake.pci, NULL), -EINVAL);
	trn_pci_destroy(NULL);
}

static void test_who_it_is(void **state)
{
	assert_ptr_equal(trn_pci_of(fake.dev), fake.pci);
	assert_ptr_equal(trn_pci_device(fake.pci), fake.dev);
	assert_ptr_equal(trn_pci_priv(fake.pci), &fake);
	trn_pci_lock(fake.pci);
	trn_pci_lock(fake.pci);
	trn_pci_unlock(fake.pci);
	trn_pci_unlock(fake.pci);
}

static void test_one_holder_at_a_time(void **state)
{
	struct trn_error err = { 0 };
	struct trn_use *second = NULL;

	assert_refused(trn_device_open(fake.dev, "another", NULL, &second, &err), err, -EBUSY, "InUse");
	assert_null(second);
	trn_use_close(fake.use);
	assert_int_equal(fake.nr_closed, 1);
	fake.opened_result = -EACCES;
	assert_int_equal(trn_device_open(fake.dev, "another", NULL, &second, NULL), -EACCES);
	fake.opened_result = 0;
	fake.use = fake_open(fake.dev, "another");
	assert_int_equal(fake.nr_opened, 2);
}

static void test_what_is_not_complete_is_not_opened(void **state)
{
	struct pci_fake f = { .is_left_unrealized = true, .build = build_all };
	struct trn_error err = { 0 };
	struct trn_use *use = NULL;

	pci_fake_start(&f);
	assert_int_equal(trn_device_open(f.dev, "x", NULL, &use, &err), -ENODEV);
	assert_null(use);
	pci_fake_stop(&f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_identity_is_read_only),
		T(test_bars_tell_their_size),
		T(test_bars_keep_their_address),
		T(test_command_gates_accesses),
		T(test_command_is_reported),
		T(test_any_length_and_alignment),
		T(test_interrupt_registers),
		T(test_sleep_gates_accesses),
		T(test_states_of_power_that_are_not_there),
		T(test_driver_changes_and_reset),
		T(test_config_of_another_device_is_refused),
		T(test_devices_that_are_refused),
		T(test_who_it_is),
		T(test_one_holder_at_a_time),
		T(test_what_is_not_complete_is_not_opened),
	};

	return unit_run(tests);
}
