/* SPDX-License-Identifier: MIT */
/*
 * The log of DMA writes: bits of 4 KiB pages, in chunks that exist where something was written.
 *
 * The space that is logged may be all 2^64 bytes; what is written of it is little, and chunks are found by a hash.  When
 * there is no memory for another one, or there are too many, everything counts as written from then on: a migration
 * then copies too much, which is slow and correct.  Ends of ranges are inclusive here, so that nothing wraps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pci/pci_priv.h"

#define PAGE_SHIFT 12u
#define CHUNK_SHIFT 27u /* 128 MiB of addresses, 4 KiB of bits */
#define CHUNK_PAGES (1u << (CHUNK_SHIFT - PAGE_SHIFT))
#define NR_BUCKETS 1024u
#define MAX_CHUNKS 16384u /* 64 MiB of bits for 2 TiB that are written */

struct chunk {
	struct chunk *next; /* in its bucket */
	uint64_t number; /* address >> CHUNK_SHIFT */
	uint64_t bits[CHUNK_PAGES / 64];
};

struct range {
	uint64_t first, last; /* bytes */
};

struct pci_dma_log {
	struct chunk *buckets[NR_BUCKETS];
	unsigned int nr_chunks;
	bool is_all_dirty;
	size_t nr_ranges; /* at least 1 */
	struct range ranges[]; /* in rising order, apart */
};

static struct chunk **bucket_of(struct pci_dma_log *log, uint64_t number)
{
	return &log->buckets[number % NR_BUCKETS];
}

static struct chunk *find_chunk(struct pci_dma_log *log, uint64_t number)
{
	struct chunk *c = *bucket_of(log, number);

	while (c && c->number != number)
		c = c->next;
	return c;
}

static struct chunk *get_chunk(struct pci_dma_log *log, uint64_t number)
{
	struct chunk *c = find_chunk(log, number);

	if (c)
		return c;
	c = log->nr_chunks < MAX_CHUNKS ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return NULL;
	c->number = number;
	c->next = *bucket_of(log, number);
	*bucket_of(log, number) = c;
	log->nr_chunks++;
	return c;
}

static void free_chunks(struct pci_dma_log *log)
{
	for (unsigned int i = 0; i < NR_BUCKETS; i++)
		while (log->buckets[i]) {
			struct chunk *c = log->buckets[i];

			log->buckets[i] = c->next;
			free(c);
		}
	log->nr_chunks = 0;
}

static void mark_pages(struct pci_dma_log *log, uint64_t first, uint64_t last)
{
	struct chunk *c = NULL;

	for (uint64_t page = first >> PAGE_SHIFT; page <= last >> PAGE_SHIFT && !log->is_all_dirty; page++) {
		unsigned int bit = page % CHUNK_PAGES;

		if (!c || !bit)
			c = get_chunk(log, page / CHUNK_PAGES);
		if (c) {
			c->bits[bit / 64] |= 1ull << (bit % 64);
		} else {
			log->is_all_dirty = true;
			free_chunks(log);
		}
	}
}

/* The first range that does not lie before the address. */
static size_t find_range(const struct pci_dma_log *log, uint64_t address)
{
	size_t low = 0, high = log->nr_ranges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (log->ranges[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t last_of(uint64_t start, uint64_t len)
{
	return len - 1 > UINT64_MAX - start ? UINT64_MAX : start + (len - 1);
}

void pci_dma_log_mark(struct trn_pci *pci, uint64_t iova, uint64_t len)
{
	struct pci_dma_log *log = pci->log;

	if (!log || !len || log->is_all_dirty)
		return;
	for (size_t i = find_range(log, iova); i < log->nr_ranges && log->ranges[i].first <= last_of(iova, len); i++)
		mark_pages(log, max64(iova, log->ranges[i].first), min64(last_of(iova, len), log->ranges[i].last));
}

void pci_dma_log_stop(struct trn_pci *pci)
{
	if (pci->log)
		free_chunks(pci->log);
	free(pci->log);
	pci->log = NULL;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static int fill_ranges(struct pci_dma_log *log, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	for (size_t i = 0; i < nr; i++)
		log->ranges[i] = (struct range){ .first = ranges[i].start, .last = last_of(ranges[i].start, ranges[i].len) };
	if (!nr)
		log->ranges[0] = (struct range){ .first = 0, .last = UINT64_MAX };
	log->nr_ranges = nr ? nr : 1;
	qsort(log->ranges, log->nr_ranges, sizeof(log->ranges[0]), compare_ranges);
	for (size_t i = 1; i < log->nr_ranges; i++)
		if (log->ranges[i].first <= log->ranges[i - 1].last)
			return trn_error_set(err, -EINVAL, "BadRange", "two ranges to be logged overlap at %#llx",
					     (unsigned long long)log->ranges[i].first);
	return 0;
}

static int start(struct trn_pci *pci, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	struct pci_dma_log *log;
	int r;

	if (pci->log)
		return trn_error_set(err, -EINVAL, "Logging", "the device logs what it writes already");
	log = calloc(1, sizeof(*log) + (nr ? nr : 1) * sizeof(log->ranges[0]));
	if (!log)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a log of what the device writes");
	r = fill_ranges(log, ranges, nr, err);
	if (r < 0)
		free(log);
	else
		pci->log = log;
	return r;
}

/* What one report asks for. */
struct query {
	uint64_t first, last; /* bytes */
	unsigned int shift; /* of a bit's page */
	uint8_t *bitmap;
};

static void set_bit(const struct query *q, uint64_t bit)
{
	q->bitmap[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

static void report_page(const struct query *q, uint64_t *word, unsigned int bit, uint64_t address)
{
	if (!(*word >> bit & 1) || address < q->first || address > q->last)
		return;
	*word &= ~(1ull << bit);
	set_bit(q, (address - q->first) >> q->shift);
}

static void report_chunk(const struct query *q, struct chunk *c)
{
	uint64_t base = c->number << CHUNK_SHIFT;

	if (base > q->last || base + ((1ull << CHUNK_SHIFT) - 1) < q->first)
		return;
	for (unsigned int i = 0; i < CHUNK_PAGES / 64; i++)
		for (unsigned int bit = 0; c->bits[i] && bit < 64; bit++)
			report_page(q, &c->bits[i], bit, base + ((uint64_t)(i * 64 + bit) << PAGE_SHIFT));
}

static void report_all(const struct query *q, const struct pci_dma_log *log)
{
	for (size_t i = find_range(log, q->first); i < log->nr_ranges && log->ranges[i].first <= q->last; i++) {
		uint64_t first = max64(q->first, log->ranges[i].first) - q->first;
		uint64_t last = min64(q->last, log->ranges[i].last) - q->first;

		for (uint64_t bit = first >> q->shift; bit <= last >> q->shift; bit++)
			set_bit(q, bit);
	}
}

static int report(struct trn_pci *pci, const struct query *q)
{
	if (!pci->log)
		return -EINVAL;
	if (pci->log->is_all_dirty)
		report_all(q, pci->log);
	for (unsigned int i = 0; i < NR_BUCKETS; i++)
		for (struct chunk *c = pci->log->buckets[i]; c; c = c->next)
			report_chunk(q, c);
	return 0;
}

/* --- What a holder does --- */

/* Pages of 4 KiB whatever is wanted: a report may ask for larger ones. */
static int op_start(struct trn_use *use, uint64_t page_size, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	int r;

	trn_pci_lock(pci);
	r = start(pci, ranges, nr, err);
	trn_pci_unlock(pci);
	return r;
}

static void op_stop(struct trn_use *use)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));

	trn_pci_lock(pci);
	pci_dma_log_stop(pci);
	trn_pci_unlock(pci);
}

static int op_report(struct trn_use *use, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap)
{
	const struct query q = {
		.first = iova,
		.last = last_of(iova, len),
		.shift = (unsigned int)__builtin_ctzll(page_size),
		.bitmap = bitmap,
	};
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	int r;

	trn_pci_lock(pci);
	r = report(pci, &q);
	trn_pci_unlock(pci);
	return r;
}

const struct trn_dma_log_ops trn_pci_dma_log_ops = {
	.start = op_start,
	.stop = op_stop,
	.report = op_report,
};
