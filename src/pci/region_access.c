/* SPDX-License-Identifier: MIT */
/* Accesses of a holder: each is cut where memory, the driver's registers, the MSI-X table and its pending bits meet. */
#include <errno.h>
#include <string.h>

#include "base/range.h"
#include "pci/pci_priv.h"

struct access {
	uint64_t offset;
	uint8_t *buf;
	size_t len;
	bool is_write;
};

/* Other processes look at the same memory: what a processor does in one step is done in one step here too. */
static void copy_ram(void *to, const void *from, size_t len)
{
	bool is_aligned = !(((uintptr_t)to | (uintptr_t)from) & (len - 1));

	if (len == 4 && is_aligned)
		*(volatile uint32_t *)to = *(const volatile uint32_t *)from;
	else if (len == 8 && is_aligned)
		*(volatile uint64_t *)to = *(const volatile uint64_t *)from;
	else if (len == 2 && is_aligned)
		*(volatile uint16_t *)to = *(const volatile uint16_t *)from;
	else
		memcpy(to, from, len);
}

static int access_ram(const struct pci_region *region, const struct access *a)
{
	if (a->is_write)
		copy_ram(region->ram + a->offset, a->buf, a->len);
	else
		copy_ram(a->buf, region->ram + a->offset, a->len);
	return 0;
}

static int access_driver(struct trn_pci *pci, const struct pci_region *region, const struct access *a)
{
	if (region->rw) {
		int r = region->rw(pci, a->offset, a->buf, a->len, a->is_write);

		return r < 0 ? r : 0;
	}
	/* A BAR for the MSI-X table alone. */
	if (!a->is_write)
		memset(a->buf, 0, a->len);
	return 0;
}

/* Memory where it may be mapped; what may not is the driver's, if it has a function. */
static int access_part(struct trn_pci *pci, uint32_t index, struct access a)
{
	const struct pci_region *region = &pci->regions[index];
	int r = 0;

	if (!region->ram || !region->rw)
		return region->ram ? access_ram(region, &a) : access_driver(pci, region, &a);
	for (size_t left = a.len; left && r == 0; left -= a.len) {
		struct pci_extent extent;

		r = pci_region_extent(pci, index, a.offset, &extent);
		if (r < 0)
			break;
		a.len = extent.end - a.offset < left ? (size_t)(extent.end - a.offset) : left;
		r = extent.is_open ? access_ram(region, &a) : access_driver(pci, region, &a);
		a.offset += a.len;
		a.buf += a.len;
	}
	return r;
}

/* How many bytes from the offset on are all inside, or all outside of the spans. */
static size_t until_border(const struct access *a, const struct trn_span *spans, unsigned int nr, bool *ret_is_inside)
{
	uint64_t end = a->offset + a->len;

	*ret_is_inside = false;
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t start = spans[i].start, behind = start + spans[i].len;

		if (a->offset < start)
			end = start < end ? start : end;
		else if (a->offset < behind) {
			*ret_is_inside = true;
			end = behind < end ? behind : end;
			break;
		}
	}
	return (size_t)(end - a->offset);
}

static int access_with_table(struct trn_pci *pci, uint32_t index, struct access a)
{
	struct trn_span spans[2];
	unsigned int nr = pci_region_msix_spans(pci, index, spans);
	int r = 0;

	for (size_t left = a.len; left && r == 0; left -= a.len) {
		bool is_table;

		a.len = left;
		a.len = until_border(&a, spans, nr, &is_table);
		if (is_table)
			pci_msix_access(pci, a.offset, a.buf, a.len, a.is_write);
		else
			r = access_part(pci, index, a);
		a.offset += a.len;
		a.buf += a.len;
	}
	return r;
}

static int access_config(struct trn_pci *pci, const struct access *a)
{
	if (!base_range_is_within(a->offset, a->len, pci->config.size))
		return -EINVAL;
	if (a->is_write)
		pci_config_write(pci, (unsigned int)a->offset, a->buf, a->len);
	else
		pci_config_read(pci, (unsigned int)a->offset, a->buf, a->len);
	return 0;
}

int pci_region_access(struct trn_pci *pci, uint32_t index, uint64_t offset, void *buf, size_t len, bool is_write)
{
	const struct access a = { .offset = offset, .buf = buf, .len = len, .is_write = is_write };
	const struct pci_region *region = pci_region_at(pci, index);

	if (index == TRN_PCI_REGION_CONFIG)
		return access_config(pci, &a);
	if (!region || !base_range_is_within(offset, len, region->size))
		return -EINVAL;
	if (is_write && region->is_read_only)
		return -EACCES;
	if (!pci_region_is_on(pci, index))
		return -EIO;
	if (is_write && pci_ioeventfds_catch(pci, index, offset, buf, len))
		return 0;
	if (pci_msix_overlaps(pci, index, offset, len))
		return access_with_table(pci, index, a);
	return access_part(pci, index, a);
}
