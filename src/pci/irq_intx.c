/* SPDX-License-Identifier: MIT */
/* The interrupt pin: a level that signals once, masks itself, and is looked at again when it is unmasked. */
#include <errno.h>

#include "pci/irq_priv.h"

void pci_intx_update(struct trn_pci *pci)
{
	struct pci_irqs *irqs = &pci->irqs;

	if (!irqs->kinds[TRN_PCI_IRQ_INTX].count || irqs->used != TRN_PCI_IRQ_INTX)
		return;
	if (!irqs->intx.level || irqs->intx.is_masked || irqs->intx.is_masked_by_holder)
		return;
	if (irqs->kinds[TRN_PCI_IRQ_INTX].vectors[0].fd < 0)
		return;
	if (pci->activity != TRN_PCI_ACTIVE || !pci_config_intx_is_on(pci))
		return;
	irqs->intx.is_masked = true;
	pci_irq_fire(pci, TRN_PCI_IRQ_INTX, 0);
}

void pci_intx_unmask(struct trn_pci *pci)
{
	pci->irqs.intx.is_masked = pci->irqs.intx.is_masked_by_holder = false;
	pci_intx_update(pci);
}

static bool is_meant(const struct trn_irq_set *set)
{
	return set->data == TRN_IRQ_DATA_NONE || set->bools[0];
}

int pci_intx_set(struct trn_pci *pci, const struct trn_irq_set *set)
{
	if (set->action == TRN_IRQ_MASK && set->data == TRN_IRQ_DATA_EVENTFD)
		return -ENOTTY;
	if (pci->irqs.used != TRN_PCI_IRQ_INTX)
		return -EINVAL;
	if (set->data == TRN_IRQ_DATA_EVENTFD)
		return pci_unmasker_set(pci, set->fds[0]);
	if (!is_meant(set))
		return 0;
	if (set->action == TRN_IRQ_UNMASK)
		pci_intx_unmask(pci);
	else
		pci->irqs.intx.is_masked_by_holder = true;
	return 0;
}

void trn_pci_set_intx(struct trn_pci *pci, bool level)
{
	trn_pci_lock(pci);
	pci->irqs.intx.level = level && pci->flags & TRN_PCI_INTX;
	pci_intx_update(pci);
	trn_pci_unlock(pci);
}
