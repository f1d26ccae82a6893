/* SPDX-License-Identifier: MIT */
/* C22: the log of DMA writes: its ranges, its bits, and the ends of the address space. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "pci_fake.h"

#define PAGE 4096ull

static struct pci_fake fake;

static int accept_all(struct trn_use *use, struct trn_dma_request *req)
{
	return 0;
}

static const struct trn_dma_ops dma_ops = { .access = accept_all };

static int setup(void **state)
{
	fake = (struct pci_fake){ 0 };
	pci_fake_start(&fake);
	trn_use_set_dma_ops(fake.use, &dma_ops);
	config_enable(&fake);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	return 0;
}

static int start(uint64_t page_size, const struct trn_span *ranges, size_t nr)
{
	return trn_use_dma_log_start(fake.use, page_size, ranges, nr, NULL);
}

static void device_writes(uint64_t iova, uint64_t len)
{
	struct trn_dma_request req = { .iova = iova, .len = len, .is_write = 1 };

	assert_int_equal(trn_pci_dma(fake.pci, &req), 0);
}

static int report(uint64_t iova, uint64_t len, uint64_t page_size, void *bitmap)
{
	return trn_use_dma_log_report(fake.use, iova, len, page_size, bitmap);
}

/* The bits of 64 pages from iova on. */
static uint64_t bits_at(uint64_t iova)
{
	uint64_t bits = 0;

	assert_int_equal(report(iova, 64 * PAGE, PAGE, &bits), 0);
	return bits;
}

static void test_start_and_stop(void **state)
{
	uint8_t byte = 0;

	assert_int_equal(report(0, PAGE, PAGE, &byte), -EINVAL); /* not logging */
	device_writes(0, 10);
	assert_int_equal(start(PAGE, NULL, 0), 0);
	assert_int_equal(start(PAGE, NULL, 0), -EINVAL);
	assert_int_equal(bits_at(0), 0); /* of before */
	device_writes(0, 10);
	assert_int_equal(trn_use_dma_log_stop(fake.use), 0);
	assert_int_equal(trn_use_dma_log_stop(fake.use), 0);
	assert_int_equal(report(0, PAGE, PAGE, &byte), -EINVAL);
	assert_int_equal(start(PAGE, NULL, 0), 0);
	assert_int_equal(bits_at(0), 0); /* forgotten */
	/* C18: a reset keeps it; a holder that leaves does not. */
	device_writes(0, 10);
	assert_int_equal(trn_use_reset(fake.use), 0);
	assert_int_equal(bits_at(0), 1);
	trn_use_close(fake.use);
	fake.use = fake_open(fake.dev, "the next");
	assert_int_equal(report(0, PAGE, PAGE, &byte), -EINVAL);
}

static void test_bits_are_set_never_cleared(void **state)
{
	uint8_t bitmap[2] = { 0x80, 0x01 };

	assert_int_equal(start(PAGE, NULL, 0), 0);
	device_writes(PAGE, 1);
	device_writes(10 * PAGE + 100, 1);
	assert_int_equal(report(0, 16 * PAGE, PAGE, bitmap), 0);
	assert_int_equal(bitmap[0], 0x82);
	assert_int_equal(bitmap[1], 0x05);
	assert_int_equal(report(0, 16 * PAGE, PAGE, bitmap), 0);
	assert_int_equal(bitmap[0], 0x82);
}

static void test_report_clears_what_it_reports(void **state)
{
	assert_int_equal(start(PAGE, NULL, 0), 0);
	device_writes(0, 64 * PAGE);
	uint8_t byte = 0;

	assert_int_equal(report(8 * PAGE, 8 * PAGE, PAGE, &byte), 0);
	assert_int_equal(byte, 0xff);
	assert_true(bits_at(0) == ~0xff00ull);
	assert_true(bits_at(0) == 0);
}

static void test_edges_of_pages(void **state)
{
	assert_int_equal(start(PAGE, NULL, 0), 0);
	device_writes(PAGE - 1, 1);
	assert_true(bits_at(0) == 1);
	device_writes(PAGE - 1, 2);
	assert_true(bits_at(0) == 3);
	device_writes(PAGE, PAGE);
	assert_true(bits_at(0) == 2);
	device_writes(PAGE, PAGE + 1);
	assert_true(bits_at(0) == 6);
	/* Over the border of what the log keeps together. */
	device_writes((1ull << 27) - 2 * PAGE, 4 * PAGE);
	assert_true(bits_at((1ull << 27) - 32 * PAGE) == 15ull << 30);
}

/* The device's pages are 4 KiB whatever was wanted; a report may ask for larger ones. */
static void test_page_sizes(void **state)
{
	uint8_t byte = 0;

	for (uint64_t size = 1; size; size <<= 1) {
		assert_int_equal(start(size, NULL, 0), 0);
		assert_int_equal(trn_use_dma_log_stop(fake.use), 0);
	}
	assert_int_equal(start(3 * PAGE, NULL, 0), -EINVAL);
	assert_int_equal(start(0, NULL, 0), -EINVAL);
	assert_int_equal(start(2 << 20, NULL, 0), 0);
	device_writes((2 << 20) + 5 * PAGE, 1);
	device_writes((2 << 20) + 6 * PAGE, 1);
	device_writes((2 << 20) * 3ull, 1);
	assert_int_equal(report(0, 8ull << 21, 2 << 20, &byte), 0);
	assert_int_equal(byte, 0x0a);
	byte = 0;
	assert_int_equal(report(0, 8ull << 21, 2 << 20, &byte), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(report(0, PAGE, PAGE / 2, &byte), -EINVAL);
	assert_int_equal(report(PAGE / 2, PAGE, PAGE, &byte), -EINVAL);
	assert_int_equal(report(0, PAGE + 1, PAGE, &byte), -EINVAL);
	assert_int_equal(report(0, 0, PAGE, &byte), -EINVAL);
}

static void test_ranges_are_honoured(void **state)
{
	const struct trn_span ranges[] = { { 40 * PAGE, 2 * PAGE }, { 4 * PAGE, 4 * PAGE }, { 8 * PAGE, PAGE } };

	assert_int_equal(start(PAGE, ranges, 3), 0);
	device_writes(0, 64 * PAGE);
	assert_true(bits_at(0) == (0x1f0ull | 3ull << 40));
	device_writes(6 * PAGE, 35 * PAGE);
	assert_true(bits_at(0) == (0x1c0ull | 1ull << 40));
	device_writes(0, 4 * PAGE);
	device_writes(9 * PAGE, 31 * PAGE);
	device_writes(42 * PAGE, 100 * PAGE);
	assert_true(bits_at(0) == 0);
	device_writes(4 * PAGE, 1);
	device_writes(8 * PAGE - 1, 1);
	device_writes(42 * PAGE - 1, 1);
	assert_true(bits_at(0) == (1ull << 4 | 1ull << 7 | 1ull << 41));
}

static void test_ranges_are_checked(void **state)
{
	const struct trn_span overlap[] = { { 16 * PAGE, PAGE }, { 0, 4 * PAGE }, { 3 * PAGE, PAGE } };
	const struct trn_span same[] = { { PAGE, PAGE }, { PAGE, PAGE } };
	const struct trn_span touch[] = { { 1, 1 }, { 0, 2 } };
	const struct trn_span unaligned[] = { { 0, PAGE }, { 2 * PAGE + 1, PAGE } };
	const struct trn_span odd[] = { { 0, PAGE + 1 } };
	const struct trn_span empty[] = { { 0, 0 } };
	const struct trn_span beyond[] = { { 0 - PAGE, 2 * PAGE } };
	struct trn_error err = { 0 };
	uint8_t byte;

	assert_int_equal(trn_use_dma_log_start(fake.use, PAGE, overlap, 3, &err), -EINVAL);
	assert_non_null(strstr(err.text, "0x3000"));
	assert_int_equal(start(PAGE, same, 2), -EINVAL);
	assert_int_equal(start(1, touch, 2), -EINVAL);
	assert_int_equal(start(PAGE, unaligned, 2), -EINVAL);
	assert_int_equal(start(PAGE, odd, 1), -EINVAL);
	assert_int_equal(start(PAGE, empty, 1), -EINVAL);
	assert_int_equal(start(PAGE, beyond, 1), -EOVERFLOW);
	assert_int_equal(report(0, PAGE, PAGE, &byte), -EINVAL); /* none of these began a log */
}

static void test_end_of_the_address_space(void **state)
{
	const struct trn_span last[] = { { 0 - 64 * PAGE, 64 * PAGE } };
	uint8_t byte = 0;

	assert_int_equal(start(PAGE, NULL, 0), 0);
	device_writes(0 - 64 * PAGE, 1);
	device_writes(0 - PAGE, PAGE - 1);
	assert_true(bits_at(0 - 64 * PAGE) == (1ull << 63 | 1));
	assert_int_equal(report(0 - PAGE, 2 * PAGE, PAGE, &byte), -EOVERFLOW);
	assert_int_equal(trn_use_dma_log_stop(fake.use), 0);

	assert_int_equal(start(PAGE, last, 1), 0);
	device_writes(0 - 65 * PAGE, 2 * PAGE);
	device_writes(0 - PAGE, PAGE - 1);
	device_writes(0, PAGE);
	assert_true(bits_at(0 - 64 * PAGE) == (1ull << 63 | 1));
	assert_true(bits_at(0) == 0);
}

/* Half of all addresses in one report, of large pages: what exists is walked, not what could. */
static void test_huge_reports(void **state)
{
	uint8_t byte = 0;

	assert_int_equal(start(PAGE, NULL, 0), 0);
	for (unsigned int i = 0; i < 64; i++)
		device_writes(1ull << i, 1);
	assert_int_equal(report(0, 1ull << 63, 1ull << 60, &byte), 0);
	assert_int_equal(byte, 0x17);
	assert_true(bits_at(0) == 0);
	byte = 0;
	assert_int_equal(report(1ull << 63, 1ull << 63, 1ull << 60, &byte), 0);
	assert_int_equal(byte, 1);
}

/* More than the log holds: everything counts as written, for ever, in the ranges; and the log takes no more memory. */
static void test_too_much_is_all(void **state)
{
	const struct trn_span ranges[] = { { 0, 1ull << 45 }, { 1ull << 46, 2 * PAGE } };

	assert_int_equal(start(PAGE, ranges, 2), 0);
	for (uint64_t i = 0; i < 16384; i++)
		device_writes(i << 27, 1);
	assert_true(bits_at(PAGE) == 0);
	device_writes(16384ull << 27, 1);
	for (int i = 0; i < 2; i++) {
		assert_true(bits_at(PAGE) == UINT64_MAX);
		assert_true(bits_at((1ull << 45) - 32 * PAGE) == UINT32_MAX);
		assert_true(bits_at((1ull << 46) - 62 * PAGE) == 3ull << 62);
		assert_true(bits_at(1ull << 50) == 0);
	}
	assert_int_equal(trn_use_dma_log_stop(fake.use), 0);
	assert_int_equal(start(PAGE, ranges, 2), 0);
	assert_true(bits_at(PAGE) == 0);
}

/* Against a plain list of bits. */
static void test_random_against_a_bitmap(void **state)
{
	enum { NR = 65536 };
	static uint8_t want[NR], got[NR / 8];
	const uint64_t base = (1ull << 34) - NR / 2 * PAGE; /* in two of the log's chunks */

	srand(7);
	assert_int_equal(start(PAGE, NULL, 0), 0);
	for (int round = 0; round < 200; round++) {
		uint64_t offset = (uint64_t)rand() % (NR * PAGE - 300000), len = 1 + (uint64_t)rand() % 300000;
		uint64_t first = (uint64_t)rand() % NR & ~7ull, nr = ((uint64_t)rand() % (NR - first) & ~7ull) + 8;

		device_writes(base + offset, len);
		for (uint64_t page = offset / PAGE; page <= (offset + len - 1) / PAGE; page++)
			want[page] = 1;
		if (round % 10)
			continue;
		if (nr > NR - first)
			nr = NR - first;
		memset(got, 0, sizeof(got));
		assert_int_equal(report(base + first * PAGE, nr * PAGE, PAGE, got), 0);
		for (uint64_t page = 0; page < nr; page++) {
			assert_int_equal(got[page / 8] >> (page % 8) & 1, want[first + page]);
			want[first + page] = 0;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_and_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bits_are_set_never_cleared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_report_clears_what_it_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edges_of_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_page_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges_are_honoured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_the_address_space, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much_is_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_against_a_bitmap, setup, teardown),
	};

	return unit_run(tests);
}
