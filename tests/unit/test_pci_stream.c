/* SPDX-License-Identifier: MIT */
/* C20: the state of a device as a stream: out and in again, in any pieces, and while guests write. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"
#include "pci_movers.h"

static uint64_t drain(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int wire(struct mover *d, uint32_t index, uint32_t first, uint32_t count, const int *fds)
{
	const struct trn_irq_set set = {
		.index = index,
		.start = first,
		.count = count,
		.action = TRN_IRQ_TRIGGER,
		.data = TRN_IRQ_DATA_EVENTFD,
		.fds = fds,
	};

	return trn_use_set_irqs(d->fake.use, &set);
}

/* --- Round trips --- */

static void test_round_trips_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 24, 100, 4095, 4096, 4120, 10000 };

	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct mover_stream s;

		mover_make_busy(&movers.a, 10 + i);
		mover_make_busy(&movers.b, 200 + i); /* which is all gone afterwards */
		s = mover_save_all(&movers.a, pieces[i]);
		mover_load_all(&movers.b, &s, pieces[(i * 3 + 1) % 10]);
		mover_assert_same(&movers.a, &movers.b);
		assert_int_equal(movers.b.loaded_version, 7);
		mover_go(&movers.a, TRN_MIG_RUNNING);
		mover_go(&movers.b, TRN_MIG_RUNNING);
		mover_finish(&s);
	}
	assert_int_equal(movers.b.nr_loads, sizeof(pieces) / sizeof(pieces[0]));
}

static void test_nothing_is_sent_of_nothing(void **state)
{
	struct mover_stream s = mover_save_all(&movers.a, 10000);

	assert_true(s.len < 2048); /* without a page */
	movers.a.state[0] = 0;
	mover_ram(&movers.b, 2)[5 * PAGE] = 1;
	mover_load_all(&movers.b, &s, 10000);
	mover_assert_same(&movers.a, &movers.b);
	mover_finish(&s);
}

/* Interrupts that wait at one end come at the other, and those that may have been lost come again. */
static void test_interrupts_travel(void **state)
{
	int fds[NR_MSIX], none[] = { -1 };
	struct mover_stream s;

	for (unsigned int i = 0; i < NR_MSIX; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(wire(&movers.a, TRN_PCI_IRQ_MSIX, 0, 1, none), 0);
	assert_int_equal(wire(&movers.a, TRN_PCI_IRQ_MSIX, 2, 1, fds), 0);
	assert_int_equal(trn_pci_fire(movers.a.fake.pci, 0), 0); /* pends */
	assert_int_equal(trn_pci_fire(movers.a.fake.pci, 2), 0); /* fired */
	assert_int_equal(drain(fds[0]), 1);
	trn_pci_signal_error(movers.a.fake.pci);
	trn_pci_set_intx(movers.a.fake.pci, true);
	s = mover_save_all(&movers.a, 1000);

	assert_int_equal(wire(&movers.b, TRN_PCI_IRQ_MSIX, 0, NR_MSIX - 1, fds), 0); /* before */
	mover_load_all(&movers.b, &s, 1000);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		assert_int_equal(drain(fds[i]), 0);
	mover_go(&movers.b, TRN_MIG_RUNNING);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		assert_int_equal(drain(fds[i]), i == 0 || i == 2);
	assert_int_equal(wire(&movers.b, TRN_PCI_IRQ_ERR, 0, 1, fds), 0); /* after */
	assert_int_equal(drain(fds[0]), 1);
	assert_int_equal(trn_use_reset(movers.a.fake.use), 0);
	mover_finish(&s);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		base_close(fds[i]);
}

static void test_level_travels(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct mover_stream s;

	trn_pci_set_intx(movers.a.fake.pci, true);
	s = mover_save_all(&movers.a, 1000);
	mover_load_all(&movers.b, &s, 1000);
	mover_go(&movers.b, TRN_MIG_RUNNING);
	assert_int_equal(wire(&movers.b, TRN_PCI_IRQ_INTX, 0, 1, &fd), 0);
	assert_int_equal(drain(fd), 1);
	mover_finish(&s);
	base_close(fd);
}

/* Where messages go is for the state to say, and not for a holder who left before it was loaded. */
static void test_messages_go_where_the_state_says(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct mover_stream s;

	config_put(&movers.a.fake, config_find(&movers.a.fake, 5) + 2, 1, 1);
	s = mover_save_all(&movers.a, 1000);
	assert_int_equal(wire(&movers.b, TRN_PCI_IRQ_MSIX, 0, 1, &fd), 0);
	trn_use_close(movers.b.fake.use);
	movers.b.fake.use = fake_open(movers.b.fake.dev, "the next");
	mover_load_all(&movers.b, &s, 1000);
	mover_go(&movers.b, TRN_MIG_RUNNING);
	assert_int_equal(trn_pci_fire(movers.b.fake.pci, 1), 0);
	assert_int_equal(wire(&movers.b, TRN_PCI_IRQ_MSI, 1, 1, &fd), 0);
	assert_int_equal(drain(fd), 1);
	mover_finish(&s);
	base_close(fd);
}

/* A driver is asked whether its own capabilities can be what the state says: nobody else could know. */
static void test_driver_sees_its_capabilities(void **state)
{
	struct trn_error err = { 0 };
	struct mover_stream s;

	config_put(&movers.a.fake, movers.a.vendor + 8, 4, 0x04030201);
	s = mover_save_all(&movers.a, 1000);
	mover_load_all(&movers.b, &s, 1000);
	assert_int_equal(movers.b.config_result, 0);
	assert_memory_equal(movers.b.config_seen, "\1\2\3\4", 4);
	mover_finish(&s);

	mover_go(&movers.a, TRN_MIG_RUNNING);
	config_put(&movers.a.fake, movers.a.vendor + 8, 4, NO_VALUE);
	s = mover_save_all(&movers.a, 1000);
	assert_int_equal(mover_try_load(&movers.b, s.data, s.len, 1000, &err), -EINVAL);
	assert_int_equal(config_get(&movers.b.fake, movers.b.vendor + 8, 4), 0x04030201);
	mover_finish(&s);
}

/* Mappings that were there before show what was loaded: it is the same memory. */
static void test_mappings_see_what_is_loaded(void **state)
{
	uint64_t offset = 1;
	int fd = trn_use_region_fd(movers.b.fake.use, 2, &offset);
	uint8_t *map = mmap(NULL, BAR_SIZE, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	struct mover_stream s;

	assert_ptr_not_equal(map, MAP_FAILED);
	mover_make_busy(&movers.a, 3);
	mover_make_busy(&movers.b, 4);
	s = mover_save_all(&movers.a, 10000);
	mover_load_all(&movers.b, &s, 10000);
	assert_memory_equal(map, mover_ram(&movers.a, 2), BAR_SIZE);
	munmap(map, BAR_SIZE);
	base_close(fd);
	mover_finish(&s);
}

/* --- Pre-copy --- */

static void test_pre_copy(void **state)
{
	struct trn_mig_sizes sizes = { 0 };
	struct mover_stream s = { 0 };
	size_t first;

	mover_make_busy(&movers.a, 50);
	for (unsigned int i = 0; i < 20; i++)
		mover_ram(&movers.a, 2)[i * PAGE + i] = (uint8_t)(i + 1);
	assert_int_equal(trn_use_mig_sizes(movers.a.fake.use, &sizes), 0);
	assert_int_equal(sizes.initial | sizes.dirty, 0);
	assert_true(sizes.stop_copy >= 20 * PAGE);
	mover_go(&movers.a, TRN_MIG_PRE_COPY);
	assert_int_equal(trn_use_mig_sizes(movers.a.fake.use, &sizes), 0);
	assert_true(sizes.initial >= 20 * PAGE && sizes.dirty == 0 && sizes.stop_copy > sizes.initial);
	assert_int_equal(mover_read_all(&movers.a, &s, 333), -ENOMSG);
	first = s.len;
	assert_true(first >= 20 * PAGE && first <= 30 * PAGE);
	assert_int_equal(trn_use_mig_sizes(movers.a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty == 0 && sizes.stop_copy < PAGE);
	assert_int_equal(mover_read_all(&movers.a, &s, 333), -ENOMSG);
	assert_int_equal(s.len, first);

	/* The guest goes on writing, also to zero, also where nothing was. */
	mover_ram(&movers.a, 2)[3 * PAGE + 3] = 0;
	mover_ram(&movers.a, 2)[4 * PAGE] = 9;
	mover_ram(&movers.a, 2)[40 * PAGE] = 9;
	mover_ram(&movers.a, 9)[0] = 9;
	assert_int_equal(trn_use_mig_sizes(movers.a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty >= 4 * PAGE && sizes.dirty < 5 * PAGE);
	mover_go(&movers.a, TRN_MIG_PRE_COPY_P2P);
	assert_int_equal(mover_read_all(&movers.a, &s, 4096), -ENOMSG);
	assert_true(s.len - first >= 4 * PAGE && s.len - first < 5 * PAGE);
	mover_ram(&movers.a, 2)[4 * PAGE] = 10;
	mover_go(&movers.a, TRN_MIG_STOP_COPY);
	assert_int_equal(trn_use_mig_sizes(movers.a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty == 0 && sizes.stop_copy >= PAGE && sizes.stop_copy < 2 * PAGE);
	first = s.len;
	assert_int_equal(mover_read_all(&movers.a, &s, 4096), 0);
	assert_true(s.len - first <= sizes.stop_copy);
	mover_load_all(&movers.b, &s, 5000);
	mover_assert_same(&movers.a, &movers.b);
	mover_finish(&s);
}

/* What changes behind a pass that found something comes with the next, before the end for now is said. */
static void test_pass_after_pass(void **state)
{
	static uint8_t buf[3 * PAGE];
	struct mover_stream s = { 0 };

	memset(mover_ram(&movers.a, 2), 1, 5 * PAGE);
	mover_go(&movers.a, TRN_MIG_PRE_COPY);
	assert_int_equal(trn_use_mig_read(movers.a.fake.use, buf, sizeof(buf)), sizeof(buf));
	mover_append(&s, buf, sizeof(buf));
	mover_ram(&movers.a, 2)[0] = 2;
	assert_int_equal(mover_read_all(&movers.a, &s, 1), -ENOMSG);
	assert_true(s.len > 6 * PAGE);
	mover_finish(&s);
}

/* In the middle of a page, of which the rest is given first. */
static void test_stop_in_the_middle_of_a_page(void **state)
{
	for (size_t cut = 900; cut < 900 + 3 * PAGE; cut += 517) {
		struct mover_stream s = { 0 };
		static uint8_t buf[4 * PAGE];
		ssize_t n;

		for (unsigned int i = 0; i < 4; i++)
			memset(mover_ram(&movers.a, 2) + i * PAGE, (int)(cut + i) | 1, PAGE);
		mover_go(&movers.a, TRN_MIG_PRE_COPY);
		n = trn_use_mig_read(movers.a.fake.use, buf, cut);
		assert_int_equal(n, cut);
		mover_append(&s, buf, cut);
		for (unsigned int i = 0; i < 4; i++)
			mover_ram(&movers.a, 2)[i * PAGE + 2000] = 0;
		mover_go(&movers.a, TRN_MIG_STOP_COPY);
		assert_int_equal(mover_read_all(&movers.a, &s, 1000), 0);
		mover_load_all(&movers.b, &s, 1000);
		assert_memory_equal(mover_ram(&movers.a, 2), mover_ram(&movers.b, 2), BAR_SIZE);
		mover_go(&movers.a, TRN_MIG_RUNNING);
		mover_finish(&s);
	}
}

/* Memory that was sent and then given back by the guest's side reads as zero. */
static void test_hole_after_it_was_sent(void **state)
{
	struct mover_stream s = { 0 };
	uint64_t offset;
	int fd = trn_use_region_fd(movers.a.fake.use, 2, &offset);

	memset(mover_ram(&movers.a, 2), 1, 8 * PAGE);
	mover_go(&movers.a, TRN_MIG_PRE_COPY);
	assert_int_equal(mover_read_all(&movers.a, &s, 1000), -ENOMSG);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset + PAGE, 5 * PAGE), 0);
	mover_go(&movers.a, TRN_MIG_STOP_COPY);
	assert_int_equal(mover_read_all(&movers.a, &s, 1000), 0);
	mover_load_all(&movers.b, &s, 1000);
	assert_memory_equal(mover_ram(&movers.a, 2), mover_ram(&movers.b, 2), BAR_SIZE);
	assert_int_equal(mover_ram(&movers.b, 2)[PAGE], 0);
	assert_int_equal(mover_ram(&movers.b, 2)[6 * PAGE], 1);
	mover_finish(&s);
	base_close(fd);
}

/* A gigabyte of which little exists costs little. */
static void test_large_and_empty(void **state)
{
	struct mover_stream s;

	movers_teardown(state);
	movers.is_large = true;
	mover_start(&movers.a);
	mover_start(&movers.b);
	mover_ram(&movers.a, 2)[0] = 1;
	mover_ram(&movers.a, 2)[777u << 20] = 2;
	mover_ram(&movers.a, 2)[(1u << 30) - 1] = 3;
	mover_ram(&movers.b, 2)[500u << 20] = 4;
	s = mover_save_all(&movers.a, 10000);
	assert_true(s.len < 5 * PAGE);
	mover_load_all(&movers.b, &s, 10000);
	assert_int_equal(mover_ram(&movers.b, 2)[0], 1);
	assert_int_equal(mover_ram(&movers.b, 2)[777u << 20], 2);
	assert_int_equal(mover_ram(&movers.b, 2)[(1u << 30) - 1], 3);
	assert_int_equal(mover_ram(&movers.b, 2)[500u << 20], 0);
	mover_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVERS_TEST(test_round_trips_in_any_pieces),
		MOVERS_TEST(test_nothing_is_sent_of_nothing),
		MOVERS_TEST(test_interrupts_travel),
		MOVERS_TEST(test_level_travels),
		MOVERS_TEST(test_messages_go_where_the_state_says),
		MOVERS_TEST(test_driver_sees_its_capabilities),
		MOVERS_TEST(test_mappings_see_what_is_loaded),
		MOVERS_TEST(test_pre_copy),
		MOVERS_TEST(test_pass_after_pass),
		MOVERS_TEST(test_stop_in_the_middle_of_a_page),
		MOVERS_TEST(test_hole_after_it_was_sent),
		MOVERS_TEST(test_large_and_empty),
	};

	return unit_run(tests);
}
