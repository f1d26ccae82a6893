/* SPDX-License-Identifier: MIT */
/* The MSI-X table, which is storage, and its pending bits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "pci/irq_priv.h"

#define ENTRY_SIZE 16u
#define ENTRY_CONTROL 12u /* bit 0: masked */

static uint64_t table_len(const struct trn_pci *pci)
{
	return (uint64_t)pci->irqs.kinds[TRN_PCI_IRQ_MSIX].count * ENTRY_SIZE;
}

static uint64_t pba_len(const struct trn_pci *pci)
{
	return (pci->irqs.kinds[TRN_PCI_IRQ_MSIX].count + 63ull) / 64 * 8;
}

static uint32_t read_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

int pci_msix_init(struct trn_pci *pci, unsigned int nr_vectors)
{
	const uint8_t *cap = &pci->config.bytes[pci->config.msix];
	struct pci_msix_table *msix = &pci->irqs.msix;
	uint32_t table = read_le32(cap + 4), pba = read_le32(cap + 8);

	msix->table = calloc(nr_vectors, ENTRY_SIZE);
	if (!msix->table)
		return -ENOMEM;
	msix->bar = table & 7;
	msix->table_offset = table & ~7u;
	msix->pba_offset = pba & ~7u;
	return 0;
}

void pci_msix_reset(struct trn_pci *pci)
{
	struct pci_msix_table *msix = &pci->irqs.msix;

	if (!msix->table)
		return;
	memset(msix->table, 0, table_len(pci));
	for (uint32_t i = 0; i < pci->irqs.kinds[TRN_PCI_IRQ_MSIX].count; i++)
		msix->table[i * ENTRY_SIZE + ENTRY_CONTROL] = 1;
}

bool pci_msix_overlaps(const struct trn_pci *pci, unsigned int bar, uint64_t offset, size_t len)
{
	const struct pci_msix_table *msix = &pci->irqs.msix;

	if (!msix->table || bar != msix->bar)
		return false;
	return base_range_overlaps(offset, len, msix->table_offset, table_len(pci)) ||
	       base_range_overlaps(offset, len, msix->pba_offset, pba_len(pci));
}

/* The two low bits of an address are 0, and of the control word the mask alone exists. */
static uint8_t writable_bits(uint64_t offset)
{
	switch (offset % ENTRY_SIZE) {
	case 0:
		return 0xfc;
	case ENTRY_CONTROL:
		return 1;
	case ENTRY_CONTROL + 1:
	case ENTRY_CONTROL + 2:
	case ENTRY_CONTROL + 3:
		return 0;
	default:
		return 0xff;
	}
}

static uint8_t pending_byte(const struct trn_pci *pci, uint64_t offset)
{
	const struct pci_irq_kind *k = &pci->irqs.kinds[TRN_PCI_IRQ_MSIX];
	uint8_t bits = 0;

	for (uint64_t i = 0; i < 8 && offset * 8 + i < k->count; i++)
		bits |= (uint8_t)(k->vectors[offset * 8 + i].is_pending << i);
	return bits;
}

void pci_msix_access(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct pci_msix_table *msix = &pci->irqs.msix;
	bool is_table = base_range_overlaps(offset, len, msix->table_offset, table_len(pci));
	uint64_t inside = offset - (is_table ? msix->table_offset : msix->pba_offset);
	uint8_t *bytes = buf;

	for (size_t i = 0; i < len; i++, inside++) {
		if (is_table && is_write)
			msix->table[inside] = bytes[i] & writable_bits(inside);
		else if (is_table)
			bytes[i] = msix->table[inside];
		else if (!is_write)
			bytes[i] = pending_byte(pci, inside);
	}
}
