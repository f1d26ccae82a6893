/* SPDX-License-Identifier: MIT */
/* C18, C19, C21: the states of migration, the way from each to each, and what holds in them. */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "pci/pci_priv.h"
#include "pci_fake.h"

#define BAR_SIZE (16u * 4096u)

static struct pci_fake fake;
static struct trn_pci_migration migration;
static int load_result;

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	return load_result < 0 ? trn_error_set(err, load_result, "FakeRefuses", "the fake refuses") : 0;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar bar = { .size = BAR_SIZE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };

	assert_true(trn_pci_add_express(pci, err) > 0);
	return trn_pci_add_bar(pci, 0, &bar, err);
}

static void start(uint32_t flags)
{
	load_result = 0;
	migration = (struct trn_pci_migration){ .flags = flags, .version = 1, .max_state = 16, .load = load };
	fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_EXPRESS | TRN_PCI_INTX, .migration = &migration };
	pci_fake_start(&fake);
}

static int try_go(enum trn_mig_state to)
{
	return trn_use_mig_set_state(fake.use, to, NULL);
}

static enum trn_mig_state where(void)
{
	enum trn_mig_state state = TRN_NR_MIG_STATES;

	assert_int_equal(trn_use_mig_get_state(fake.use, &state), 0);
	return state;
}

static void go(enum trn_mig_state to)
{
	assert_int_equal(try_go(to), 0);
	assert_int_equal(where(), to);
}

#define ALL (TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY)

static const uint32_t combinations[] = {
	TRN_MIG_CAN_STOP_COPY,
	TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P,
	TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY,
	ALL,
};

static bool has(uint32_t flags, enum trn_mig_state s)
{
	if (s == TRN_MIG_RUNNING_P2P)
		return flags & TRN_MIG_CAN_P2P;
	if (s == TRN_MIG_PRE_COPY)
		return flags & TRN_MIG_CAN_PRE_COPY;
	if (s == TRN_MIG_PRE_COPY_P2P)
		return (flags & TRN_MIG_CAN_P2P) && (flags & TRN_MIG_CAN_PRE_COPY);
	return true;
}

/* The table of the protocol's text, a row a state; "-": refused. Columns: STOP RUNNING STOP_COPY RESUMING RUNNING_P2P PRE_COPY
 * PRE_COPY_P2P, in letters: S R C E p P Q. */
static const char *const rows[TRN_NR_MIG_STATES] = {
	[TRN_MIG_STOP] = "SpCEppp",	    [TRN_MIG_RUNNING] = "pRpppPp", [TRN_MIG_PRE_COPY] = "RRQRRPQ",
	[TRN_MIG_PRE_COPY_P2P] = "ppCppPQ", [TRN_MIG_STOP_COPY] = "SSCSS--", [TRN_MIG_RESUMING] = "SSSESSS",
	[TRN_MIG_RUNNING_P2P] = "SRSSpRQ", [TRN_MIG_ERROR] = "-------",
};

static enum trn_mig_state of_letter(char c)
{
	static const char letters[] = "-SRCEpPQ";

	return (enum trn_mig_state)(strchr(letters, c) - letters);
}

static enum trn_mig_state in_table(enum trn_mig_state from, enum trn_mig_state to)
{
	return to == TRN_MIG_ERROR ? TRN_MIG_ERROR : of_letter(rows[from][to - 1]);
}

static enum trn_mig_state expected(uint32_t flags, enum trn_mig_state from, enum trn_mig_state to)
{
	enum trn_mig_state next = in_table(from, to);

	if (!has(flags, to))
		return TRN_MIG_ERROR;
	while (!has(flags, next))
		next = in_table(next, to);
	return next;
}

static void test_each_cell(void **state)
{
	for (unsigned int i = 0; i < 4; i++)
		for (enum trn_mig_state from = 0; from < TRN_NR_MIG_STATES; from++)
			for (enum trn_mig_state to = 0; to < TRN_NR_MIG_STATES; to++)
				if (has(combinations[i], from))
					assert_int_equal(pci_migration_next(combinations[i], from, to),
							 expected(combinations[i], from, to));
}

/* By hand, so that the table above is checked too: the arcs that VFIO wants of every driver. */
static void test_arcs_of_the_text(void **state)
{
	static const struct {
		uint32_t flags;
		enum trn_mig_state from, to;
	} arcs[] = {
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_RESUMING, TRN_MIG_STOP },
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_STOP, TRN_MIG_RESUMING },
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_STOP, TRN_MIG_STOP_COPY },
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_STOP_COPY, TRN_MIG_STOP },
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_RUNNING, TRN_MIG_STOP },
		{ TRN_MIG_CAN_STOP_COPY, TRN_MIG_STOP, TRN_MIG_RUNNING },
		{ TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY, TRN_MIG_RUNNING, TRN_MIG_PRE_COPY },
		{ TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY, TRN_MIG_PRE_COPY, TRN_MIG_RUNNING },
		{ TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY, TRN_MIG_PRE_COPY, TRN_MIG_STOP_COPY },
		{ ALL, TRN_MIG_RUNNING, TRN_MIG_RUNNING_P2P },
		{ ALL, TRN_MIG_RUNNING_P2P, TRN_MIG_RUNNING },
		{ ALL, TRN_MIG_RUNNING_P2P, TRN_MIG_STOP },
		{ ALL, TRN_MIG_STOP, TRN_MIG_RUNNING_P2P },
		{ ALL, TRN_MIG_PRE_COPY, TRN_MIG_PRE_COPY_P2P },
		{ ALL, TRN_MIG_PRE_COPY_P2P, TRN_MIG_PRE_COPY },
		{ ALL, TRN_MIG_PRE_COPY_P2P, TRN_MIG_RUNNING_P2P },
		{ ALL, TRN_MIG_RUNNING_P2P, TRN_MIG_PRE_COPY_P2P },
		{ ALL, TRN_MIG_PRE_COPY_P2P, TRN_MIG_STOP_COPY },
	};

	for (size_t i = 0; i < sizeof(arcs) / sizeof(arcs[0]); i++)
		assert_int_equal(pci_migration_next(arcs[i].flags, arcs[i].from, arcs[i].to), arcs[i].to);
	assert_int_equal(pci_migration_next(ALL, TRN_MIG_STOP_COPY, TRN_MIG_PRE_COPY), TRN_MIG_ERROR);
	assert_int_equal(pci_migration_next(ALL, TRN_MIG_STOP_COPY, TRN_MIG_PRE_COPY_P2P), TRN_MIG_ERROR);
	assert_int_equal(pci_migration_next(ALL, TRN_MIG_PRE_COPY, TRN_MIG_STOP_COPY), TRN_MIG_PRE_COPY_P2P);
}

static char buffer[65536];

/* From RUNNING over arcs that are there; a state is written, so that RESUMING can be left. */
static void bring_to(enum trn_mig_state to)
{
	static char stream[65536];
	ssize_t len = 0, n;

	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(where(), TRN_MIG_RUNNING);
	if (to != TRN_MIG_RESUMING) {
		go(to);
		return;
	}
	go(TRN_MIG_STOP_COPY);
	while ((n = trn_use_mig_read(fake.use, stream + len, sizeof(stream) - (size_t)len)) > 0)
		len += n;
	assert_int_equal(n, 0);
	go(TRN_MIG_RESUMING);
	assert_int_equal(trn_use_mig_write(fake.use, stream, (size_t)len, NULL), 0);
}

static enum trn_pci_activity activity_in(enum trn_mig_state s)
{
	if (s == TRN_MIG_RUNNING || s == TRN_MIG_PRE_COPY)
		return TRN_PCI_ACTIVE;
	return s == TRN_MIG_RUNNING_P2P || s == TRN_MIG_PRE_COPY_P2P ? TRN_PCI_QUIET : TRN_PCI_STOPPED;
}

static void check_state(uint32_t flags, enum trn_mig_state s)
{
	bool can_read = s == TRN_MIG_STOP_COPY || s == TRN_MIG_PRE_COPY || s == TRN_MIG_PRE_COPY_P2P;
	ssize_t r = trn_use_mig_read(fake.use, buffer, 16);

	assert_int_equal(fake.activity, activity_in(s));
	assert_int_equal(r, can_read ? 16 : -EINVAL);
	if (s != TRN_MIG_RESUMING)
		assert_int_equal(trn_use_mig_write(fake.use, buffer, 16, NULL), -EINVAL);
}

static void test_ways_are_gone(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t flags = combinations[i];

		start(flags);
		assert_int_equal(trn_use_mig_flags(fake.use), flags);
		for (enum trn_mig_state from = 1; from < TRN_NR_MIG_STATES; from++)
			for (enum trn_mig_state to = 1; to < TRN_NR_MIG_STATES; to++) {
				bool is_refused = !has(flags, to) || in_table(from, to) == TRN_MIG_ERROR;

				if (!has(flags, from))
					continue;
				bring_to(from);
				assert_int_equal(try_go(to), is_refused ? -EINVAL : 0);
				assert_int_equal(where(), is_refused ? from : to);
				if (!is_refused && from != to)
					check_state(flags, to);
			}
		pci_fake_stop(&fake);
	}
}

/* D4: 8 passed the test and lay outside of the table. */
static void test_numbers_are_checked(void **state)
{
	static const uint32_t bad[] = { TRN_MIG_ERROR, TRN_NR_MIG_STATES, TRN_NR_MIG_STATES + 1, 0x80000000u, UINT32_MAX };

	start(ALL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(try_go((enum trn_mig_state)bad[i]), -EINVAL);
		assert_int_equal(where(), TRN_MIG_RUNNING);
	}
	pci_fake_stop(&fake);
}

static void test_device_that_cannot_be_moved(void **state)
{
	struct trn_mig_sizes sizes;
	enum trn_mig_state s;

	fake = (struct pci_fake){ 0 };
	pci_fake_start(&fake);
	assert_int_equal(trn_use_mig_flags(fake.use), 0);
	assert_int_equal(trn_use_mig_get_state(fake.use, &s), -EOPNOTSUPP);
	assert_int_equal(try_go(TRN_MIG_STOP), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_read(fake.use, buffer, 1), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_write(fake.use, buffer, 1, NULL), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_sizes(fake.use, &sizes), -EOPNOTSUPP);
	pci_fake_stop(&fake);
}

/* C18: a reset works in every state, ERROR included, and ends the migration. */
static void test_reset_from_everywhere(void **state)
{
	start(ALL);
	for (enum trn_mig_state from = 1; from < TRN_NR_MIG_STATES; from++) {
		bring_to(from);
		assert_int_equal(trn_use_reset(fake.use), 0);
		assert_int_equal(where(), TRN_MIG_RUNNING);
		check_state(ALL, TRN_MIG_RUNNING);
	}
	fake.pci->mig.state = TRN_MIG_ERROR; /* no way leads there by itself */
	for (enum trn_mig_state to = 0; to <= TRN_NR_MIG_STATES; to++)
		assert_int_equal(try_go(to), -EINVAL);
	assert_int_equal(where(), TRN_MIG_ERROR);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(where(), TRN_MIG_RUNNING);
	pci_fake_stop(&fake);
}

/* C19: a failure on the way leaves a state that can be read and gone on from. */
static void test_failure_on_the_way(void **state)
{
	struct trn_error err = { 0 };

	start(ALL);
	bring_to(TRN_MIG_RESUMING);
	load_result = -EINVAL;
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_RUNNING, &err), -EINVAL);
	assert_string_equal(err.text, "the fake refuses");
	assert_int_equal(where(), TRN_MIG_RESUMING);
	assert_int_equal(fake.activity, TRN_PCI_STOPPED);
	assert_int_equal(try_go(TRN_MIG_STOP), -EINVAL); /* nothing was written since */
	assert_int_equal(where(), TRN_MIG_RESUMING);
	load_result = 0;
	bring_to(TRN_MIG_RESUMING);
	go(TRN_MIG_RUNNING);

	bring_to(TRN_MIG_RESUMING);
	go(TRN_MIG_RESUMING); /* to where it is: nothing happens */
	go(TRN_MIG_STOP);
	go(TRN_MIG_RESUMING);
	assert_int_equal(try_go(TRN_MIG_STOP), -EINVAL); /* of an empty stream */
	pci_fake_stop(&fake);
}

/* C27: a holder that leaves ends its migration; what the device holds stays. */
static void test_holder_leaves(void **state)
{
	uint32_t v = 0x12345678;

	for (enum trn_mig_state from = 1; from < TRN_NR_MIG_STATES; from++) {
		start(ALL);
		config_enable(&fake);
		bring_to(from);
		config_enable(&fake);
		assert_int_equal(trn_use_region_write(fake.use, 0, 8, &v, 4), 0);
		trn_use_close(fake.use);
		assert_int_equal(fake.activity, TRN_PCI_ACTIVE);
		fake.use = fake_open(fake.dev, "the next");
		assert_int_equal(where(), TRN_MIG_RUNNING);
		v = 0;
		assert_int_equal(trn_use_region_read(fake.use, 0, 8, &v, 4), 0);
		assert_int_equal(v, 0x12345678);
		assert_int_equal(fake.nr_resets, 1);
		pci_fake_stop(&fake);
	}
}

/* C21: D3: a stopped device refused nearly everything. */
static void test_all_works_in_stop(void **state)
{
	const struct trn_dma_map map = { .iova = 0x1000, .len = 0x1000, .fd = -1, .flags = TRN_DMA_READ };
	const struct trn_irq_set unwire = { .index = TRN_PCI_IRQ_INTX, .action = TRN_IRQ_TRIGGER };
	struct trn_region_info region;
	struct trn_device_info info;
	struct trn_irq_info irq;

	start(ALL);
	for (enum trn_mig_state s = 1; s < TRN_NR_MIG_STATES; s++) {
		bring_to(s);
		trn_use_info(fake.use, &info);
		assert_int_equal(info.nr_regions, 9);
		assert_int_equal(trn_use_region_info(fake.use, 0, &region), 0);
		assert_int_equal(region.size, BAR_SIZE);
		assert_int_equal(trn_use_irq_info(fake.use, 0, &irq), 0);
		assert_int_equal(irq.count, 1);
		assert_int_equal(trn_use_set_irqs(fake.use, &unwire), 0);
		assert_int_equal(trn_use_dma_map(fake.use, &map), 0);
		assert_int_equal(trn_use_dma_unmap(fake.use, 0x1000, 0x1000), 0);
		assert_int_equal(config_get(&fake, 0, 4), 0x10f01af4);
	}
	pci_fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_cell),
		cmocka_unit_test(test_arcs_of_the_text),
		cmocka_unit_test(test_ways_are_gone),
		cmocka_unit_test(test_numbers_are_checked),
		cmocka_unit_test(test_device_that_cannot_be_moved),
		cmocka_unit_test(test_reset_from_everywhere),
		cmocka_unit_test(test_failure_on_the_way),
		cmocka_unit_test(test_holder_leaves),
		cmocka_unit_test(test_all_works_in_stop),
	};

	return unit_run(tests);
}
