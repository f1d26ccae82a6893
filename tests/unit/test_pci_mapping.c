/* SPDX-License-Identifier: MIT */
/* C14: mappings of holders in the same process: pages come when they are touched, perhaps not all, and are taken away. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "pci_fake.h"

#define PAGE 4096u
#define SIZE (64u * PAGE)

static struct pci_fake fake;
static struct trn_pci_mapping *mapping;
static volatile uint8_t *map;
static uint8_t *ram;
static bool is_narrow;

/* All but the pages [4, 8), and when narrow the first alone. */
static ssize_t areas(struct trn_pci *pci, struct trn_span *ret, size_t max)
{
	const struct trn_span all[] = { { 0, is_narrow ? PAGE : 4 * PAGE }, { 8 * PAGE, SIZE - 8 * PAGE } };
	ssize_t nr = is_narrow ? 1 : 2;

	for (ssize_t i = 0; i < nr && i < (ssize_t)max; i++)
		ret[i] = all[i];
	return nr;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar memory = { .size = SIZE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP, .areas = areas };
	static const struct trn_pci_bar unmapped = { .size = SIZE, .flags = TRN_PCI_BAR_RAM };
	static const struct trn_pci_bar plain = { .size = SIZE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };

	assert_int_equal(trn_pci_add_bar(pci, 0, &memory, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 1, &unmapped, err), 0);
	assert_int_equal(trn_pci_add_region(pci, 1, 1, &plain, err), 9);
	assert_int_equal(trn_pci_add_pm(pci, err), 0x40);
	return trn_pci_add_express(pci, err) < 0 ? -EINVAL : 0;
}

static bool cannot_map(void)
{
	struct trn_pci_mapping *m = NULL;
	void *addr;
	int r;

	fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_EXPRESS };
	pci_fake_start(&fake);
	r = trn_pci_map(fake.use, 0, 0, SIZE, &m, &addr);
	trn_pci_unmap(m);
	pci_fake_stop(&fake);
	return r == -EOPNOTSUPP || r == -EPERM;
}

static int setup(void **state)
{
	void *addr;

	is_narrow = false;
	fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_EXPRESS };
	pci_fake_start(&fake);
	assert_int_equal(trn_pci_map(fake.use, 0, 0, SIZE, &mapping, &addr), 0);
	map = addr;
	ram = trn_pci_ram(fake.pci, 0);
	assert_non_null(ram);
	return 0;
}

static int teardown(void **state)
{
	trn_pci_unmap(mapping);
	pci_fake_stop(&fake);
	return 0;
}

static void test_shows_the_same_memory(void **state)
{
	config_enable(&fake);
	map[0] = 1;
	map[SIZE - 1] = 2;
	assert_int_equal(ram[0], 1);
	assert_int_equal(ram[SIZE - 1], 2);
	ram[9 * PAGE] = 3;
	assert_int_equal(map[9 * PAGE], 3);
	assert_int_equal(map[20 * PAGE], 0);
}

static void test_ones_while_memory_is_off(void **state)
{
	ram[5] = 0x11;
	assert_int_equal(map[5], 0xff);
	map[5] = 0x22; /* lost */
	assert_int_equal(ram[5], 0x11);
	config_enable(&fake);
	assert_int_equal(map[5], 0x11);
	map[5] = 0x33;
	assert_int_equal(ram[5], 0x33);
	config_put(&fake, PCI_COMMAND, 2, 0);
	assert_int_equal(map[5], 0xff);
	map[5] = 0x44;
	assert_int_equal(map[5], 0x44);
	assert_int_equal(ram[5], 0x33);
	config_enable(&fake);
	assert_int_equal(map[5], 0x33);
}

/* Each way in which memory goes off takes the pages away. */
static void test_zapping(void **state)
{
	config_enable(&fake);
	map[0] = map[30 * PAGE] = 7;
	config_put(&fake, 0x40 + PCI_PM_CTRL, 2, 3);
	assert_int_equal(map[0], 0xff);
	config_put(&fake, 0x40 + PCI_PM_CTRL, 2, 0);
	assert_int_equal(map[0], 7);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(map[0], 0xff);
	assert_int_equal(map[30 * PAGE], 0xff);
	config_enable(&fake);
	assert_int_equal(map[30 * PAGE], 7);
	config_put(&fake, config_find(&fake, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(map[30 * PAGE], 0xff);
}

static void test_pages_that_the_driver_leaves_out(void **state)
{
	config_enable(&fake);
	memset(ram, 0x55, SIZE);
	for (unsigned int page = 0; page < SIZE / PAGE; page++)
		assert_int_equal(map[page * PAGE + 17], page >= 4 && page < 8 ? 0xff : 0x55);
	map[5 * PAGE] = 1;
	assert_int_equal(ram[5 * PAGE], 0x55);
	/* What may be mapped is asked for at the fault. */
	config_put(&fake, PCI_COMMAND, 2, 0);
	is_narrow = true;
	config_enable(&fake);
	assert_int_equal(map[0], 0x55);
	assert_int_equal(map[PAGE], 0xff);
	assert_int_equal(map[5 * PAGE], 0xff);
	config_put(&fake, PCI_COMMAND, 2, 0);
	is_narrow = false;
	config_enable(&fake);
	assert_int_equal(map[PAGE], 0x55);
}

static void test_parts_and_other_regions(void **state)
{
	struct trn_pci_mapping *part = NULL, *own = NULL;
	uint8_t *part_map, *own_map;

	assert_int_equal(trn_pci_map(fake.use, 0, 2 * PAGE, PAGE, &part, (void **)&part_map), 0);
	assert_int_equal(trn_pci_map(fake.use, 9, 0, SIZE, &own, (void **)&own_map), 0);
	own_map[3] = 9; /* not a BAR: no COMMAND */
	assert_int_equal(((uint8_t *)trn_pci_ram(fake.pci, 9))[3], 9);
	assert_int_equal(part_map[1], 0xff);
	config_enable(&fake);
	part_map[1] = 4;
	assert_int_equal(map[2 * PAGE + 1], 4);
	trn_pci_unmap(part);
	trn_pci_unmap(own);
}

static void test_what_is_refused(void **state)
{
	struct trn_pci_mapping *m = NULL;
	void *addr;

	assert_int_equal(trn_pci_map(fake.use, 0, 1, PAGE, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 0, 0, PAGE - 1, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 0, 0, 0, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 0, PAGE, SIZE, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 0, UINT64_MAX - PAGE + 1, PAGE, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 2, 0, PAGE, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 7, 0, PAGE, &m, &addr), -EINVAL);
	assert_int_equal(trn_pci_map(fake.use, 1, 0, PAGE, &m, &addr), -EOPNOTSUPP);
	assert_null(m);
	trn_pci_unmap(NULL);
}

static _Atomic bool is_over;
static _Atomic unsigned int nr_strange;

/* What is read is memory (7) or ones; nothing else, and no touch fails. */
static void *touch(void *unused)
{
	for (unsigned int i = 0; !is_over; i++) {
		uint8_t v = map[(i % 4) * PAGE + 100];

		if (v != 7 && v != 0xff)
			nr_strange++;
	}
	return NULL;
}

static void test_touches_while_it_is_switched(void **state)
{
	pthread_t threads[2];

	is_over = false;
	nr_strange = 0;
	memset(ram, 7, SIZE);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, touch, NULL), 0);
	for (unsigned int i = 0; i < 300; i++) {
		config_enable(&fake);
		assert_int_equal(map[0], 7);
		config_put(&fake, PCI_COMMAND, 2, 0);
		assert_int_equal(map[0], 0xff);
	}
	is_over = true;
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(nr_strange, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_shows_the_same_memory),
		T(test_ones_while_memory_is_off),
		T(test_zapping),
		T(test_pages_that_the_driver_leaves_out),
		T(test_parts_and_other_regions),
		T(test_what_is_refused),
		T(test_touches_while_it_is_switched),
	};

	if (cannot_map()) {
		puts("1..0 # SKIP the kernel has no userfaultfd for shared memory, or allows none");
		return 0;
	}
	return unit_run(tests);
}
