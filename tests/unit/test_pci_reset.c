/* SPDX-License-Identifier: MIT */
/*
 * C18: a reset is available in every state, brings migration back to RUNNING, and keeps DMA maps, logging and the wiring
 * of interrupts; and what a holder that leaves takes with it.
 */
#define TRANCHE_BUILDING_PCI
#include "pci/pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake.h"
#include "pci_fake.h"

static struct pci_fake fake;
static unsigned int express;

static int no_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	return 0;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar table = { .size = 4096, .rw = no_rw };

	assert_int_equal(trn_pci_add_bar(pci, 0, &table, err), 0);
	assert_int_equal(trn_pci_add_pm(pci, err), 0x40);
	assert_true(trn_pci_add_msix(pci, 2, 0, 0, 0x800, err) > 0);
	express = (unsigned int)trn_pci_add_express(pci, err);
	return 0;
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, "state", 5);
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	return len == 5 ? 0 : trn_error_set(err, -EINVAL, "BadState", "%zu bytes of state, not 5", len);
}

static const struct trn_pci_migration migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.version = 1,
	.max_state = 16,
	.save = save,
	.load = load,
};

static int setup(void **state)
{
	fake = (struct pci_fake){
		.build = build,
		.flags = TRN_PCI_INTX | TRN_PCI_EXPRESS | TRN_PCI_ASK_TO_LEAVE,
		.migration = &migration,
	};
	pci_fake_start(&fake);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	return 0;
}

static enum trn_mig_state mig_state(void)
{
	enum trn_mig_state state = TRN_MIG_ERROR;

	assert_int_equal(trn_use_mig_get_state(fake.use, &state), 0);
	return state;
}

static void reset_by_holder(void)
{
	assert_int_equal(trn_use_reset(fake.use), 0);
}

static void reset_by_guest(void)
{
	config_put(&fake, express + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
}

static void check_running(unsigned int nr_resets)
{
	assert_int_equal(mig_state(), TRN_MIG_RUNNING);
	assert_int_equal(fake.activity, TRN_PCI_ACTIVE);
	assert_int_equal(fake.nr_resets, nr_resets);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 0);
}

static void test_in_every_state_of_migration(void **state)
{
	unsigned int nr = 0;
	uint8_t byte;

	for (unsigned int to = TRN_MIG_STOP; to < TRN_NR_MIG_STATES; to++) {
		assert_int_equal(trn_use_mig_set_state(fake.use, to, NULL), 0);
		assert_int_equal(mig_state(), to);
		config_put(&fake, PCI_COMMAND, 2, 7);
		reset_by_holder();
		check_running(++nr);
		assert_int_equal(trn_use_mig_set_state(fake.use, to, NULL), 0);
		/* In the middle of a stream, too. */
		if (to == TRN_MIG_STOP_COPY || to == TRN_MIG_PRE_COPY)
			assert_int_equal(trn_use_mig_read(fake.use, &byte, 1), 1);
		reset_by_guest();
		check_running(++nr);
		assert_int_equal(trn_use_mig_read(fake.use, &byte, 1), -EINVAL);
	}
}

static void test_leads_out_of_error(void **state)
{
	/* Nothing that a holder can do brings the library there but a driver that breaks its word. */
	trn_pci_lock(fake.pci);
	fake.pci->mig.state = TRN_MIG_ERROR;
	trn_pci_unlock(fake.pci);
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_RUNNING, NULL), -EINVAL);
	/* The next holder finds it there, too. */
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "another");
	assert_int_equal(mig_state(), TRN_MIG_ERROR);
	reset_by_holder();
	check_running(1);
}

static void test_asleep_and_interrupted(void **state)
{
	config_enable(&fake);
	trn_pci_set_intx(fake.pci, true);
	config_put(&fake, 0x40 + PCI_PM_CTRL, 2, 3);
	reset_by_guest();
	check_running(1);
	assert_int_equal(config_get(&fake, 0x40 + PCI_PM_CTRL, 2) & 3, 0);
	assert_int_equal(config_get(&fake, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
}

static unsigned int signals(int fd)
{
	eventfd_t v = 0;

	return eventfd_read(fd, &v) == 0 ? (unsigned int)v : 0;
}

static int wire(unsigned int index, int fd)
{
	const struct trn_irq_set set = { .index = index, .count = 1, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_EVENTFD,
					 .fds = &fd };

	return trn_use_set_irqs(fake.use, &set);
}

static void test_wiring_stays(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(wire(TRN_PCI_IRQ_MSIX, fd), 0);
	signals(fd);
	reset_by_holder();
	assert_int_equal(signals(fd), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	assert_int_equal(signals(fd), 1);
	/* The next holder wires anew. */
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "another");
	trn_pci_fire(fake.pci, 0);
	assert_int_equal(signals(fd), 0);
	close(fd);
}

static int give_memory(struct trn_use *use, struct trn_dma_request *req)
{
	memset(req->buf, 0x31, req->len);
	return 0;
}

static void test_memory_and_log_stay(void **state)
{
	static const struct trn_dma_ops ops = { .access = give_memory };
	struct trn_dma_request req = { .iova = 0x2000, .len = 1, .buf = (uint8_t[1]){ 0 }, .is_write = 1 };
	uint8_t bits = 0;

	trn_use_set_dma_ops(fake.use, &ops);
	assert_int_equal(trn_use_dma_log_start(fake.use, 4096, NULL, 0, NULL), 0);
	reset_by_holder();
	assert_int_equal(trn_pci_dma(fake.pci, &req), -EPERM); /* no bus master any more */
	config_enable(&fake);
	assert_int_equal(trn_pci_dma(fake.pci, &req), 0);
	assert_int_equal(trn_use_dma_log_report(fake.use, 0, 0x8000, 4096, &bits), 0);
	assert_int_equal(bits, 1 << 2);
	/* It goes with the holder. */
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "another");
	assert_int_equal(trn_use_dma_log_report(fake.use, 0, 0x8000, 4096, &bits), -EINVAL);
	assert_int_equal(trn_pci_dma(fake.pci, &req), -EOPNOTSUPP);
}

static void test_a_new_holder_finds_the_state_and_a_running_device(void **state)
{
	config_enable(&fake);
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_STOP_COPY, NULL), 0);
	trn_use_close(fake.use);
	assert_int_equal(fake.activity, TRN_PCI_ACTIVE);
	fake.use = fake_open(fake.dev, "another");
	assert_int_equal(mig_state(), TRN_MIG_RUNNING);
	assert_int_equal(config_get(&fake, PCI_COMMAND, 2), 7);
	assert_int_equal(fake.nr_resets, 0);
}

static void test_request_asks_by_interrupt(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	trn_pci_op_request(fake.dev, 0); /* not wired: nothing happens */
	assert_int_equal(wire(TRN_PCI_IRQ_REQ, fd), 0);
	signals(fd);
	trn_pci_op_request(fake.dev, 1);
	assert_int_equal(signals(fd), 1);
	/* A stopped device can be asked for as well. */
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_STOP, NULL), 0);
	trn_pci_op_request(fake.dev, 2);
	assert_int_equal(signals(fd), 1);
	trn_use_close(fake.use);
	trn_pci_op_request(fake.dev, 3);
	assert_int_equal(signals(fd), 0);
	fake.use = fake_open(fake.dev, "another");
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_every_state_of_migration),
		T(test_leads_out_of_error),
		T(test_asleep_and_interrupted),
		T(test_wiring_stays),
		T(test_memory_and_log_stay),
		T(test_a_new_holder_finds_the_state_and_a_running_device),
		T(test_request_asks_by_interrupt),
	};

	return unit_run(tests);
}
