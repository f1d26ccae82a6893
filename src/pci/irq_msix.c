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

int pci_msix_init(struct trn_pci *pci, unsigned int nr_vectors)
{
	pci->irqs.msix.table = calloc(nr_vectors, ENTRY_SIZE);
	return pci->irqs.msix.table ? 0 : -ENOMEM;
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
	struct trn_span spans[2];

	for (unsigned int i = pci_region_msix_spans(pci, bar, spans); i > 0; i--)
		if (base_range_overlaps(offset, len, spans[i - 1].start, spans[i - 1].len))
			return true;
	return false;
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
