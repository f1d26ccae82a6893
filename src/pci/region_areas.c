/* SPDX-License-Identifier: MIT */
/* What may be mapped: what the driver says, but for the pages in which the MSI-X table or the pending bits lie. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

#include "base/range.h"
#include "pci/pci_priv.h"

#define MAX_DRIVER_AREAS 4096

unsigned int pci_region_msix_spans(const struct trn_pci *pci, uint32_t index, struct trn_span ret[2])
{
	uint64_t nr;

	if (!pci->config.msix || pci->irqs.msix.bar != index)
		return 0;
	nr = (pci_config_get16(pci->config.bytes + pci->config.msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1u;
	ret[0] = (struct trn_span){ .start = pci->irqs.msix.table_offset, .len = 16 * nr };
	ret[1] = (struct trn_span){ .start = pci->irqs.msix.pba_offset, .len = (nr + 63) / 64 * 8 };
	return 2;
}

/* Spans that are put together one by one; nr counts also those for which there was no room. */
struct areas {
	struct trn_span *list;
	size_t max, nr;
};

static void put(struct areas *to, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	if (to->nr < to->max)
		to->list[to->nr] = (struct trn_span){ .start = start, .len = end - start };
	to->nr++;
}

/* Puts [start, end) without the holes, which are in rising order. */
static void put_without(struct areas *to, uint64_t start, uint64_t end, const struct trn_span *holes, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t first = holes[i].start & ~(BASE_PAGE_SIZE - 1);
		uint64_t behind = (holes[i].start + holes[i].len + BASE_PAGE_SIZE - 1) & ~(BASE_PAGE_SIZE - 1);

		if (behind <= start || first >= end)
			continue;
		put(to, start, first);
		start = behind;
	}
	put(to, start, end);
}

/* The driver's answer, in room of our own: mostly few, so that an access allocates nothing. */
struct answer {
	struct trn_span few[32];
	struct trn_span *many; /* owned */
	struct trn_span *list; /* one of the two */
	size_t nr;
};

static int check_answer(const struct answer *a, const struct pci_region *region)
{
	uint64_t behind = 0;

	for (size_t i = 0; i < a->nr; i++) {
		const struct trn_span *span = &a->list[i];

		if (span->start < behind || !span->len || !base_is_page_aligned(span->start | span->len) ||
		    !base_range_is_within(span->start, span->len, region->size))
			return -EINVAL;
		behind = span->start + span->len;
	}
	return 0;
}

static int ask_driver(struct trn_pci *pci, const struct pci_region *region, struct answer *a)
{
	const ssize_t max_few = sizeof(a->few) / sizeof(a->few[0]);
	ssize_t nr = region->areas(pci, a->few, (size_t)max_few);

	a->many = NULL;
	a->list = a->few;
	if (nr > max_few && nr <= MAX_DRIVER_AREAS) {
		ssize_t max = nr;

		a->many = a->list = calloc((size_t)max, sizeof(*a->many));
		if (!a->many)
			return -ENOMEM;
		nr = region->areas(pci, a->many, (size_t)max);
		/* The lock is held: its answer has no reason to grow. */
		nr = nr > max ? -E2BIG : nr;
	}
	a->nr = nr < 0 ? 0 : (size_t)nr;
	return nr < 0 ? (int)nr : nr > MAX_DRIVER_AREAS ? -E2BIG : check_answer(a, region);
}

static unsigned int sorted_holes(const struct trn_pci *pci, uint32_t index, struct trn_span ret[2])
{
	unsigned int nr = pci_region_msix_spans(pci, index, ret);

	if (nr && ret[1].start < ret[0].start) {
		struct trn_span first = ret[1];

		ret[1] = ret[0];
		ret[0] = first;
	}
	return nr;
}

ssize_t pci_region_areas(struct trn_pci *pci, uint32_t index, struct trn_span *ret, size_t max)
{
	const struct pci_region *region = &pci->regions[index];
	struct areas to = { .list = ret, .max = max };
	struct trn_span holes[2];
	unsigned int nr_holes = sorted_holes(pci, index, holes);
	struct answer answer;
	int r;

	if (!(region->flags & TRN_PCI_BAR_MMAP))
		return 0;
	if (!region->areas) {
		put_without(&to, 0, region->size & ~(BASE_PAGE_SIZE - 1), holes, nr_holes);
		return (ssize_t)to.nr;
	}
	r = ask_driver(pci, region, &answer);
	for (size_t i = 0; r == 0 && i < answer.nr; i++)
		put_without(&to, answer.list[i].start, answer.list[i].start + answer.list[i].len, holes, nr_holes);
	free(answer.many);
	return r < 0 ? r : (ssize_t)to.nr;
}

int pci_region_extent(struct trn_pci *pci, uint32_t index, uint64_t offset, struct pci_extent *ret)
{
	const struct pci_region *region = &pci->regions[index];
	struct answer answer;
	int r;

	*ret = (struct pci_extent){ .is_open = region->flags & TRN_PCI_BAR_MMAP, .end = region->size };
	if (!region->areas)
		return 0;
	r = ask_driver(pci, region, &answer);
	ret->is_open = false;
	for (size_t i = 0; r == 0 && i < answer.nr; i++) {
		const struct trn_span *span = &answer.list[i];

		if (span->start + span->len <= offset)
			continue;
		ret->is_open = span->start <= offset;
		ret->end = ret->is_open ? span->start + span->len : span->start;
		break;
	}
	free(answer.many);
	return r;
}

bool pci_region_may_map(struct trn_pci *pci, uint32_t index, uint64_t page)
{
	struct trn_span spans[2];
	struct pci_extent extent;

	for (unsigned int i = pci_region_msix_spans(pci, index, spans); i > 0; i--)
		if (base_range_overlaps(page, BASE_PAGE_SIZE, spans[i - 1].start, spans[i - 1].len))
			return false;
	return pci_region_is_on(pci, index) && pci_region_extent(pci, index, page, &extent) == 0 && extent.is_open;
}
