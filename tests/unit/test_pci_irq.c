/* SPDX-License-Identifier: MIT */
/* C16, C21: the kinds of interrupts, their wiring, and the pin. Messages of MSI-X are in test_pci_msix.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"
#include "pci_fake.h"

#define NR_MSI 8u
#define NR_MSIX 5u

static struct pci_fake fake;
static int fds[NR_MSI];

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar bar = { .size = 4096, .flags = TRN_PCI_BAR_RAM };

	assert_int_equal(trn_pci_add_bar(pci, 0, &bar, err), 0);
	assert_true(trn_pci_add_pm(pci, err) > 0);
	assert_true(trn_pci_add_msi(pci, NR_MSI, err) > 0);
	assert_true(trn_pci_add_msix(pci, NR_MSIX, 0, 0, 0x800, err) > 0);
	return 0;
}

static const struct trn_pci_migration migration = { .flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P, .version = 1 };

static int setup(void **state)
{
	fake = (struct pci_fake){
		.build = build,
		.flags = TRN_PCI_INTX | TRN_PCI_ERR | TRN_PCI_ASK_TO_LEAVE,
		.migration = &migration,
	};
	pci_fake_start(&fake);
	for (unsigned int i = 0; i < NR_MSI; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	for (unsigned int i = 0; i < NR_MSI; i++)
		base_close(fds[i]);
	return 0;
}

static uint64_t drain(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* What another thread does comes within ten seconds, or not at all. */
static uint64_t await(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, 10000);
	return drain(fd);
}

static void ring(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static int set(uint32_t index, enum trn_irq_action action, enum trn_irq_data data, uint32_t start, uint32_t count,
	       const void *what)
{
	const struct trn_irq_set s = {
		.index = index,
		.start = start,
		.count = count,
		.action = action,
		.data = data,
		.bools = data == TRN_IRQ_DATA_BOOL ? what : NULL,
		.fds = data == TRN_IRQ_DATA_EVENTFD ? what : NULL,
	};

	return trn_use_set_irqs(fake.use, &s);
}

static int wire(uint32_t index, uint32_t start, uint32_t count, const int *what)
{
	return set(index, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_EVENTFD, start, count, what);
}

static int tear_down(uint32_t index)
{
	return set(index, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_NONE, 0, 0, NULL);
}

static int mask(void)
{
	return set(TRN_PCI_IRQ_INTX, TRN_IRQ_MASK, TRN_IRQ_DATA_NONE, 0, 1, NULL);
}

static int unmask(void)
{
	return set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_NONE, 0, 1, NULL);
}

static void go_to(enum trn_mig_state to)
{
	assert_int_equal(trn_use_mig_set_state(fake.use, to, NULL), 0);
}

static void test_flags_are_true(void **state)
{
	static const struct trn_irq_info want[] = {
		[TRN_PCI_IRQ_INTX] = { 1, TRN_IRQ_EVENTFD | TRN_IRQ_MASKABLE | TRN_IRQ_AUTOMASKED },
		[TRN_PCI_IRQ_MSI] = { NR_MSI, TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE },
		[TRN_PCI_IRQ_MSIX] = { NR_MSIX, TRN_IRQ_EVENTFD },
		[TRN_PCI_IRQ_ERR] = { 1, TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE },
		[TRN_PCI_IRQ_REQ] = { 1, TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE },
		[TRN_PCI_NR_IRQS] = { 0, 0 },
	};
	struct trn_irq_info info;

	for (uint32_t i = 0; i <= TRN_PCI_NR_IRQS; i++) {
		assert_int_equal(trn_use_irq_info(fake.use, i, &info), 0);
		assert_int_equal(info.count, want[i].count);
		assert_int_equal(info.flags, want[i].flags);
	}
	assert_int_equal(trn_use_irq_info(fake.use, UINT32_MAX, &info), 0);
	assert_int_equal(info.count, 0);
}

static void test_device_without_interrupts(void **state)
{
	struct pci_fake bare = { 0 };
	struct trn_irq_info info;

	pci_fake_start(&bare);
	for (uint32_t i = 0; i < TRN_PCI_NR_IRQS; i++) {
		assert_int_equal(trn_use_irq_info(bare.use, i, &info), 0);
		assert_int_equal(info.count | info.flags, 0);
	}
	assert_int_equal(trn_pci_fire(bare.pci, 0), -EINVAL);
	trn_pci_set_intx(bare.pci, true);
	trn_pci_signal_error(bare.pci);
	assert_int_equal(trn_use_reset(bare.use), 0);
	pci_fake_stop(&bare);
}

static void test_one_kind_at_a_time(void **state)
{
	for (uint32_t used = TRN_PCI_IRQ_INTX; used <= TRN_PCI_IRQ_MSIX; used++) {
		assert_int_equal(wire(used, 0, 1, fds), 0);
		for (uint32_t other = TRN_PCI_IRQ_INTX; other <= TRN_PCI_IRQ_MSIX; other++) {
			assert_int_equal(wire(other, 0, 1, fds), other == used ? 0 : -EINVAL);
			if (other != used)
				assert_int_equal(tear_down(other), 0); /* of nothing */
		}
		/* The others have nothing to do with it. */
		assert_int_equal(wire(TRN_PCI_IRQ_ERR, 0, 1, fds), 0);
		assert_int_equal(wire(TRN_PCI_IRQ_REQ, 0, 1, fds), 0);
		assert_int_equal(tear_down(used), 0);
	}
	/* A kind is in use with its first wiring, though it be with nothing: QEMU enables MSI-X like this. */
	assert_int_equal(wire(TRN_PCI_IRQ_MSIX, 0, 1, (const int[]){ -1 }), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds), -EINVAL);
	assert_int_equal(trn_pci_fire(fake.pci, NR_MSIX - 1), 0);
	assert_int_equal(trn_pci_fire(fake.pci, NR_MSIX), -EINVAL);
}

static void test_whole_kind_is_torn_down(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, NR_MSI, fds), 0);
	assert_int_equal(tear_down(TRN_PCI_IRQ_MSI), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), -ENOTCONN);
	assert_int_equal(trn_pci_fire(fake.pci, NR_MSI), -EINVAL);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), 0);
	assert_int_equal(set(TRN_PCI_IRQ_MSI, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_NONE, 0, 1, NULL), -EINVAL); /* not in use */
}

/* D2: a range that does not begin at 0 stayed wired. */
static void test_part_is_unwired(void **state)
{
	const int none[] = { -1, -1, -1 };

	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, NR_MSI, fds), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 3, 3, none), 0);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(trn_pci_fire(fake.pci, i), 0);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), i < 3 || i >= 6);
}

static void test_loop_back(void **state)
{
	static const uint8_t odd[NR_MSI] = { 0, 1, 0, 1, 0, 255, 0, 1 };

	for (uint32_t kind = 0; kind < TRN_PCI_NR_IRQS; kind++) {
		uint32_t count = kind == TRN_PCI_IRQ_MSI ? NR_MSI : kind == TRN_PCI_IRQ_MSIX ? NR_MSIX : 1;

		assert_int_equal(wire(kind, 0, count, fds), 0);
		assert_int_equal(set(kind, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_NONE, 0, count, NULL), 0);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(drain(fds[i]), 1);
		assert_int_equal(set(kind, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_BOOL, 0, count, odd), 0);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(drain(fds[i]), i % 2);
		assert_int_equal(tear_down(kind), 0);
	}
	/* Part of a kind, in STOP too: what the holder asks for is not the device's own (C21). */
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, NR_MSI, fds), 0);
	go_to(TRN_MIG_STOP);
	assert_int_equal(set(TRN_PCI_IRQ_MSI, TRN_IRQ_TRIGGER, TRN_IRQ_DATA_NONE, 2, 2, NULL), 0);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), i == 2 || i == 3);
}

static void test_what_cannot_be_masked(void **state)
{
	assert_int_equal(unmask(), -EINVAL); /* not in use */
	assert_int_equal(mask(), -EINVAL);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_MASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds), -ENOTTY);
	for (uint32_t kind = TRN_PCI_IRQ_MSI; kind < TRN_PCI_NR_IRQS; kind++) {
		assert_int_equal(set(kind, TRN_IRQ_MASK, TRN_IRQ_DATA_NONE, 0, 1, NULL), -ENOTTY);
		assert_int_equal(set(kind, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds), -ENOTTY);
	}
}

static void test_all_or_nothing(void **state)
{
	const int bad[] = { fds[4], fds[5], 9999 };
	int pipe_fds[2], other[2];

	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 4, fds), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 3, bad), -EBADF);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(trn_pci_fire(fake.pci, i), 0);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), i < 4);

	/* What is not an eventfd could make the device wait. */
	assert_int_equal(pipe(pipe_fds), 0);
	other[0] = fds[4];
	other[1] = pipe_fds[1];
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, other), -EINVAL);
	assert_int_equal(tear_down(TRN_PCI_IRQ_MSI), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, &bad[2]), -EBADF);
	assert_int_equal(wire(TRN_PCI_IRQ_MSIX, 0, 1, fds), 0); /* that did not begin to use INTx */
	base_close(pipe_fds[0]);
	base_close(pipe_fds[1]);
}

static void test_full_counter_does_not_wait(void **state)
{
	int full = eventfd(0, EFD_CLOEXEC); /* blocking */
	uint64_t most = UINT64_MAX - 1;

	assert_int_equal(write(full, &most, sizeof(most)), sizeof(most));
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, &full), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	assert_true(drain(full) >= most); /* the kernel notes one too many as the highest count */
	base_close(full);
}

static void test_message_waits_for_wiring(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 5), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 5), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 4, 3, fds + 4), 0);
	assert_int_equal(drain(fds[4]), 0);
	assert_int_equal(drain(fds[5]), 1);
	assert_int_equal(drain(fds[6]), 0);
}

static void test_new_descriptor_is_signalled_once(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, fds), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, fds + 2), 0);
	assert_int_equal(drain(fds[2]), 1);
	assert_int_equal(drain(fds[3]), 0); /* has never fired */
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, fds + 4), 0);
	assert_int_equal(drain(fds[4]), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 1), 0); /* C18: the wiring outlives a reset */
	assert_int_equal(drain(fds[5]), 1);
}

/* C27: what fires between two holders is for the next. */
static void test_next_holder_gets_what_fired(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, fds), 0);
	trn_use_close(fake.use);
	assert_int_equal(trn_pci_fire(fake.pci, 1), 0);
	assert_int_equal(drain(fds[1]), 0);
	fake.use = fake_open(fake.dev, "the next");
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 2, fds), 0);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(drain(fds[1]), 1);
}

/* Before the holder has wired what the guest has enabled. */
static void test_enabled_but_not_wired(void **state)
{
	unsigned int msi = config_find(&fake, 5);

	assert_int_equal(trn_pci_fire(fake.pci, 0), -ENOTCONN);
	config_put(&fake, msi + 2, 2, config_get(&fake, msi + 2, 2) | 1);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds), 0);
	assert_int_equal(drain(fds[0]), 1);
}

/* What a guest's driver did not see is not for the one that comes after it. */
static void test_turned_off_by_the_guest(void **state)
{
	unsigned int msi = config_find(&fake, 5), flags = config_get(&fake, msi + 2, 2);

	config_put(&fake, msi + 2, 2, flags | 1);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds), 0);
	assert_int_equal(trn_pci_fire(fake.pci, 0), 0);
	config_put(&fake, msi + 2, 2, flags | 1);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds + 1), 0);
	assert_int_equal(drain(fds[1]), 1); /* on all the time */
	config_put(&fake, msi + 2, 2, flags);
	config_put(&fake, msi + 2, 2, flags | 1);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 1, fds + 2), 0);
	assert_int_equal(drain(fds[2]), 0);
}

static void test_err_and_req(void **state)
{
	const struct trn_remove_params how = { .policy = TRN_REMOVE_ASK };

	assert_int_equal(wire(TRN_PCI_IRQ_ERR, 0, 1, fds), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_REQ, 0, 1, fds + 1), 0);
	trn_pci_signal_error(fake.pci);
	assert_int_equal(drain(fds[0]), 1);
	assert_int_equal(drain(fds[1]), 0);
	assert_int_equal(trn_device_remove(fake.dev, &how, NULL), -ETIMEDOUT);
	assert_true(drain(fds[1]) > 0);
	assert_int_equal(drain(fds[0]), 0);

	/* The host asks a stopped device's holder too; an error is the device's and waits. */
	go_to(TRN_MIG_STOP);
	trn_pci_signal_error(fake.pci);
	assert_int_equal(trn_device_remove(fake.dev, &how, NULL), -ETIMEDOUT);
	assert_true(drain(fds[1]) > 0);
	assert_int_equal(drain(fds[0]), 0);
	go_to(TRN_MIG_RUNNING);
	assert_int_equal(drain(fds[0]), 1);
}

/* --- The pin --- */

static void test_level_masks_itself(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	trn_pci_set_intx(fake.pci, true);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
	trn_pci_set_intx(fake.pci, false);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 0); /* masked */
	assert_int_equal(unmask(), 0);
	assert_int_equal(drain(fds[0]), 1); /* still asserted */
	trn_pci_set_intx(fake.pci, false);
	assert_int_equal(unmask(), 0);
	assert_int_equal(drain(fds[0]), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
}

static void test_level_while_masked_by_holder(void **state)
{
	const uint8_t no = 0, yes = 1;

	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(mask(), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_BOOL, 0, 1, &no), 0);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_BOOL, 0, 1, &yes), 0);
	assert_int_equal(drain(fds[0]), 1);
	trn_pci_set_intx(fake.pci, false);
	assert_int_equal(unmask(), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_MASK, TRN_IRQ_DATA_BOOL, 0, 1, &yes), 0);
	trn_pci_set_intx(fake.pci, true);
	trn_pci_set_intx(fake.pci, false);
	assert_int_equal(unmask(), 0);
	assert_int_equal(drain(fds[0]), 0); /* it went away again */
}

static void test_level_before_wiring_and_new_descriptor(void **state)
{
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(drain(fds[0]), 1);
	/* Was the last signal seen?  The level tells, to the new one. */
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds + 1), 0);
	assert_int_equal(drain(fds[1]), 1);
	/* A mask of the holder's stays. */
	assert_int_equal(mask(), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(unmask(), 0);
	assert_int_equal(drain(fds[0]), 1);
	/* The next holder is told too. */
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "the next");
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(drain(fds[0]), 1);
	/* A reset takes the level away. */
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(unmask(), 0);
	assert_int_equal(drain(fds[0]), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
}

static void test_level_and_command(void **state)
{
	unsigned int pm = config_find(&fake, 1);

	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	config_put(&fake, 4, 2, TRN_PCI_COMMAND_INTX_DISABLE);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 0);
	config_put(&fake, 4, 2, 0);
	assert_int_equal(drain(fds[0]), 1);
	trn_pci_set_intx(fake.pci, false);
	assert_int_equal(unmask(), 0);
	config_put(&fake, pm + 4, 2, 3); /* D3hot */
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 0);
	config_put(&fake, pm + 4, 2, 0);
	assert_int_equal(drain(fds[0]), 1);
}

static void test_unmask_by_eventfd(void **state)
{
	const int none = -1;

	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds + 1), -EINVAL);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, &none), 0);
	for (int round = 0; round < 3; round++) {
		/* Each time another one, so that the thread has to change; in the last the thread has ended before. */
		assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds + 1 + round), 0);
		trn_pci_set_intx(fake.pci, true);
		assert_int_equal(drain(fds[0]), 1);
		for (int i = 0; i < 5; i++) {
			ring(fds[1 + round]);
			assert_int_equal(await(fds[0]), 1);
		}
		assert_int_equal(drain(fds[1 + round]), 0); /* it took the signals */
		trn_pci_set_intx(fake.pci, false);
		assert_int_equal(unmask(), 0);
		if (round == 1)
			assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, &none), 0);
	}
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, (const int[]){ 9999 }), -EBADF);
	/* Torn down, it unmasks nothing any more. */
	assert_int_equal(tear_down(TRN_PCI_IRQ_INTX), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
	ring(fds[3]);
	usleep(20000);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(drain(fds[3]), 1);
}

static unsigned int nr_open(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* What is ready for ever and cannot be read (here an epoll) would keep the thread running for ever: it is dropped. */
static void test_unmask_by_what_is_no_eventfd(void **state)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ready = { .events = EPOLLIN };
	unsigned int before;

	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds + 2), 0);
	before = nr_open();
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, &epoll), 0);
	ring(fds[1]);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &ready), 0);
	for (int i = 0; i < 1000 && nr_open() == before; i++)
		usleep(10000);
	assert_int_equal(nr_open(), before - 1);
	/* The next one counts again. */
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds + 2), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
	ring(fds[2]);
	assert_int_equal(await(fds[0]), 1);
	close(epoll);
}

static void test_unmask_by_eventfd_ends_with_the_holder(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, TRN_IRQ_DATA_EVENTFD, 0, 1, fds + 1), 0);
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "the next");
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	trn_pci_set_intx(fake.pci, true);
	assert_int_equal(drain(fds[0]), 1);
	ring(fds[1]);
	usleep(20000);
	assert_int_equal(drain(fds[0]), 0);
	assert_int_equal(drain(fds[1]), 1); /* nobody took it */
}

/* C19: a quiet device starts nothing; what it wanted comes when it runs again. */
static void test_quiet_device(void **state)
{
	assert_int_equal(wire(TRN_PCI_IRQ_INTX, 0, 1, fds), 0);
	for (enum trn_mig_state quiet = TRN_MIG_STOP; quiet <= TRN_MIG_RUNNING_P2P; quiet++) {
		if (quiet == TRN_MIG_RUNNING)
			continue;
		go_to(quiet);
		trn_pci_set_intx(fake.pci, true);
		assert_int_equal(unmask(), 0);
		assert_int_equal(drain(fds[0]), 0);
		if (quiet == TRN_MIG_RESUMING)
			assert_int_equal(trn_use_reset(fake.use), 0); /* which takes the level away */
		go_to(TRN_MIG_RUNNING);
		assert_int_equal(drain(fds[0]), quiet != TRN_MIG_RESUMING);
		trn_pci_set_intx(fake.pci, false);
		assert_int_equal(unmask(), 0);
	}
	assert_int_equal(tear_down(TRN_PCI_IRQ_INTX), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 0, 3, fds), 0);
	go_to(TRN_MIG_RUNNING_P2P);
	assert_int_equal(trn_pci_fire(fake.pci, 1), 0);
	assert_int_equal(wire(TRN_PCI_IRQ_MSI, 1, 1, fds + 4), 0);
	go_to(TRN_MIG_STOP);
	assert_int_equal(trn_pci_fire(fake.pci, 2), 0);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), 0);
	go_to(TRN_MIG_RUNNING);
	for (unsigned int i = 0; i < NR_MSI; i++)
		assert_int_equal(drain(fds[i]), i == 4 || i == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flags_are_true, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device_without_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_kind_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_kind_is_torn_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_part_is_unwired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_counter_does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_waits_for_wiring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_descriptor_is_signalled_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_holder_gets_what_fired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enabled_but_not_wired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_turned_off_by_the_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_err_and_req, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_masks_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_while_masked_by_holder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_before_wiring_and_new_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_and_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmask_by_eventfd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmask_by_what_is_no_eventfd, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmask_by_eventfd_ends_with_the_holder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet_device, setup, teardown),
	};

	return unit_run(tests);
}
