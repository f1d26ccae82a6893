/* SPDX-License-Identifier: MIT */
/*
 * The interrupts of a saved state: a byte for the pin's level, a byte for each vector of MSI, MSI-X and ERR, the MSI-X table.
 *
 * Wiring and masks are the holder's and do not travel.
 */
#include <errno.h>
#include <string.h>

#include "pci/irq_priv.h"

#define STATE_PENDING 1u
#define STATE_FIRED 2u

static const enum trn_pci_irq kinds_saved[] = { TRN_PCI_IRQ_MSI, TRN_PCI_IRQ_MSIX, TRN_PCI_IRQ_ERR };
#define NR_KINDS_SAVED (sizeof(kinds_saved) / sizeof(kinds_saved[0]))

static size_t table_size(const struct trn_pci *pci)
{
	return (size_t)pci->irqs.kinds[TRN_PCI_IRQ_MSIX].count * 16;
}

size_t pci_irqs_state_size(const struct trn_pci *pci)
{
	size_t size = 1 + table_size(pci);

	for (size_t i = 0; i < NR_KINDS_SAVED; i++)
		size += pci->irqs.kinds[kinds_saved[i]].count;
	return size;
}

void pci_irqs_save(const struct trn_pci *pci, void *buf)
{
	uint8_t *p = buf;

	*p++ = pci->irqs.intx.level;
	for (size_t i = 0; i < NR_KINDS_SAVED; i++) {
		const struct pci_irq_kind *k = &pci->irqs.kinds[kinds_saved[i]];

		for (uint32_t v = 0; v < k->count; v++)
			*p++ = (k->vectors[v].is_pending ? STATE_PENDING : 0) | (k->vectors[v].has_fired ? STATE_FIRED : 0);
	}
	if (pci->irqs.msix.table)
		memcpy(p, pci->irqs.msix.table, table_size(pci));
}

static bool is_table_sane(const uint8_t *table, uint32_t nr_vectors)
{
	for (uint32_t i = 0; i < nr_vectors; i++, table += 16)
		if (table[0] & 3 || table[12] & ~1u || table[13] || table[14] || table[15])
			return false;
	return true;
}

int pci_irqs_check(const struct trn_pci *pci, const void *buf, size_t len, struct trn_error *err)
{
	const uint8_t *p = buf;
	size_t nr_bytes = len - table_size(pci);

	if (len != pci_irqs_state_size(pci))
		return trn_error_set(err, -EINVAL, "BadState", "the state of interrupts has %zu bytes instead of %zu", len,
				     pci_irqs_state_size(pci));
	if (p[0] > (pci->flags & TRN_PCI_INTX ? 1 : 0))
		return trn_error_set(err, -EINVAL, "BadState", "the level of the interrupt pin is %u", p[0]);
	for (size_t i = 1; i < nr_bytes; i++)
		if (p[i] & ~(STATE_PENDING | STATE_FIRED) || p[i] == STATE_PENDING)
			return trn_error_set(err, -EINVAL, "BadState", "the state of an interrupt vector is %u", p[i]);
	if (!is_table_sane(p + nr_bytes, pci->irqs.kinds[TRN_PCI_IRQ_MSIX].count))
		return trn_error_set(err, -EINVAL, "BadState", "the MSI-X table has bits that cannot be set");
	return 0;
}

/* A signal that the old holder was given may not have reached the guest: what is wired already is signalled once more. */
void pci_irqs_load(struct trn_pci *pci, const void *buf)
{
	const uint8_t *p = buf;

	pci_irqs_forget_messages(pci);
	pci->irqs.intx.level = *p++;
	for (size_t i = 0; i < NR_KINDS_SAVED; i++) {
		struct pci_irq_kind *k = &pci->irqs.kinds[kinds_saved[i]];

		for (uint32_t v = 0; v < k->count; v++, p++) {
			k->vectors[v].has_fired = *p & STATE_FIRED;
			k->vectors[v].is_pending = *p & STATE_PENDING || (*p & STATE_FIRED && k->vectors[v].fd >= 0);
		}
	}
	if (pci->irqs.msix.table)
		memcpy(pci->irqs.msix.table, p, table_size(pci));
}
