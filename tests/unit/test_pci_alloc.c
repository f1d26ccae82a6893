/* SPDX-License-Identifier: MIT */
/* Interrupts, migration and the DMA log when each allocation fails in turn: refused, nothing changed, and it works then. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alloc.h"
#include "base/cleanup.h"
#include "fake.h"
#include "pci_fake.h"

static struct pci_fake fake;
static int fds[2];

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, "ab", 2);
	trn_pci_writer_put(w, "cdefg", 5);
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	return len == 7 ? 0 : -EINVAL;
}

static void save_compat(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, "like this", 9);
}

static const struct trn_pci_migration migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY,
	.max_state = 1000,
	.save_compat = save_compat,
	.save = save,
	.load = load,
};

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar bar = { .size = 16384, .flags = TRN_PCI_BAR_RAM };

	assert_true(trn_pci_add_msi(pci, 2, err) > 0);
	return trn_pci_add_bar(pci, 0, &bar, err);
}

static int setup(void **state)
{
	fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_INTX, .migration = &migration };
	pci_fake_start(&fake);
	config_enable(&fake);
	((uint8_t *)trn_pci_ram(fake.pci, 0))[5000] = 1;
	fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	base_close(fds[0]);
	base_close(fds[1]);
	return 0;
}

static int set(uint32_t index, enum trn_irq_action action, uint32_t count)
{
	const struct trn_irq_set s = {
		.index = index,
		.count = count,
		.action = action,
		.data = count ? TRN_IRQ_DATA_EVENTFD : TRN_IRQ_DATA_NONE,
		.fds = fds,
	};

	return trn_use_set_irqs(fake.use, &s);
}

static void test_wiring_fails(void **state)
{
	unsigned int n = 1;
	int r;

	for (;; n++) {
		alloc_fail_at(n);
		r = set(TRN_PCI_IRQ_MSI, TRN_IRQ_TRIGGER, 2);
		if (!alloc_has_failed())
			break;
		assert_true(r < 0);
		assert_int_equal(trn_pci_fire(fake.pci, 0), -ENOTCONN);
	}
	assert_int_equal(r, 0);
	assert_true(n > 1);
	assert_int_equal(set(TRN_PCI_IRQ_MSI, TRN_IRQ_TRIGGER, 0), 0);

	assert_int_equal(set(TRN_PCI_IRQ_INTX, TRN_IRQ_TRIGGER, 1), 0);
	for (n = 1;; n++) {
		alloc_fail_at(n);
		r = set(TRN_PCI_IRQ_INTX, TRN_IRQ_UNMASK, 1);
		if (!alloc_has_failed())
			break;
		assert_true(r < 0);
	}
	assert_int_equal(r, 0);
	assert_true(n > 2);
}

static int read_all(uint8_t *data, size_t room, size_t *ret_len)
{
	ssize_t n;

	while ((n = trn_use_mig_read(fake.use, data + *ret_len, room - *ret_len)) > 0)
		*ret_len += (size_t)n;
	return (int)n;
}

/* A failure while it is read ends that stream; from RUNNING on it goes anew. */
static void test_saving_fails(void **state)
{
	static uint8_t data[65536];
	unsigned int n = 1;

	for (;; n++) {
		size_t len = 0;
		int r;

		assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_RUNNING, NULL), 0);
		alloc_fail_at(n);
		r = trn_use_mig_set_state(fake.use, TRN_MIG_STOP_COPY, NULL);
		if (r == 0)
			r = read_all(data, sizeof(data), &len);
		if (!alloc_has_failed()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 6);
}

static int load_all(const uint8_t *data, size_t len)
{
	int r = trn_use_mig_set_state(fake.use, TRN_MIG_RESUMING, NULL);

	for (size_t at = 0; at < len && r == 0; at += 100)
		r = trn_use_mig_write(fake.use, data + at, len - at < 100 ? len - at : 100, NULL);
	return r < 0 ? r : trn_use_mig_set_state(fake.use, TRN_MIG_STOP, NULL);
}

static void test_loading_fails(void **state)
{
	static uint8_t data[65536];
	uint8_t *ram = trn_pci_ram(fake.pci, 0);
	size_t len = 0;
	unsigned int n = 1;

	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_STOP_COPY, NULL), 0);
	assert_int_equal(read_all(data, sizeof(data), &len), 0);
	assert_int_equal(trn_use_mig_set_state(fake.use, TRN_MIG_STOP, NULL), 0);
	ram[5000] = 2;
	for (;; n++) {
		int r;

		alloc_fail_at(n);
		r = load_all(data, len);
		if (!alloc_has_failed()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(ram[5000], 2);
		trn_use_mig_set_state(fake.use, TRN_MIG_STOP, NULL); /* forgets what was refused */
	}
	assert_true(n > 6);
	assert_int_equal(ram[5000], 1);
}

static int accept_all(struct trn_use *use, struct trn_dma_request *req)
{
	return 0;
}

/* Without memory for a mark everything counts as written. */
static void test_log_fails(void **state)
{
	static const struct trn_dma_ops ops = { .access = accept_all };
	struct trn_dma_request req = { .iova = 4096, .len = 1, .is_write = 1 };
	uint8_t bits = 0;

	trn_use_set_dma_ops(fake.use, &ops);
	alloc_fail_at(1);
	assert_int_equal(trn_use_dma_log_start(fake.use, 4096, NULL, 0, NULL), -ENOMEM);
	assert_true(alloc_has_failed());
	assert_int_equal(trn_use_dma_log_start(fake.use, 4096, NULL, 0, NULL), 0);
	alloc_fail_at(1);
	assert_int_equal(trn_pci_dma(fake.pci, &req), -ENOMEM);
	assert_true(alloc_has_failed());
	assert_int_equal(trn_use_dma_log_report(fake.use, 0, 8 * 4096, 4096, &bits), 0);
	assert_int_equal(bits, 0);
	alloc_fail_at(2);
	assert_int_equal(trn_pci_dma(fake.pci, &req), 0);
	assert_true(alloc_has_failed());
	assert_int_equal(trn_use_dma_log_report(fake.use, 0, 8 * 4096, 4096, &bits), 0);
	assert_int_equal(bits, 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wiring_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_saving_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loading_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_fails, setup, teardown),
	};

	return unit_run(tests);
}
