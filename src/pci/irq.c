/* SPDX-License-Identifier: MIT */
/* Kinds of interrupts: which there are, which is in use, and what a holder may do with each. */
#include <errno.h>
#include <stdlib.h>

#include "pci/irq_priv.h"

#define MSI_CONTROL 2u
#define MSIX_ENABLED 0x8000u
#define MSI_ENABLED 0x1u

static const uint32_t kind_flags[TRN_PCI_NR_IRQS] = {
	[TRN_PCI_IRQ_INTX] = TRN_IRQ_EVENTFD | TRN_IRQ_MASKABLE | TRN_IRQ_AUTOMASKED,
	[TRN_PCI_IRQ_MSI] = TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE,
	[TRN_PCI_IRQ_MSIX] = TRN_IRQ_EVENTFD,
	[TRN_PCI_IRQ_ERR] = TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE,
	[TRN_PCI_IRQ_REQ] = TRN_IRQ_EVENTFD | TRN_IRQ_NORESIZE,
};

static bool is_of_guest(enum trn_pci_irq kind)
{
	return kind <= TRN_PCI_IRQ_MSIX;
}

static uint16_t control_word(const struct trn_pci *pci, unsigned int cap)
{
	return pci_config_get16(pci->config.bytes + cap + MSI_CONTROL);
}

static uint32_t count_of(const struct trn_pci *pci, enum trn_pci_irq kind)
{
	switch (kind) {
	case TRN_PCI_IRQ_INTX:
		return pci->flags & TRN_PCI_INTX ? 1 : 0;
	case TRN_PCI_IRQ_MSI:
		return pci->config.msi ? 1u << (control_word(pci, pci->config.msi) >> 1 & 7) : 0;
	case TRN_PCI_IRQ_MSIX:
		return pci->config.msix ? (control_word(pci, pci->config.msix) & 0x7ff) + 1u : 0;
	case TRN_PCI_IRQ_ERR:
		return pci->flags & TRN_PCI_ERR ? 1 : 0;
	case TRN_PCI_IRQ_REQ:
		return pci->flags & TRN_PCI_ASK_TO_LEAVE ? 1 : 0;
	case TRN_PCI_NR_IRQS:
		break;
	}
	return 0;
}

static int init_kind(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irq_kind *k = &pci->irqs.kinds[kind];
	uint32_t count = count_of(pci, kind);

	if (!count)
		return 0;
	k->vectors = calloc(count, sizeof(*k->vectors));
	if (!k->vectors)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		k->vectors[i].fd = -1;
	k->count = count;
	k->flags = kind_flags[kind];
	return kind == TRN_PCI_IRQ_MSIX ? pci_msix_init(pci, count) : 0;
}

int pci_irqs_init(struct trn_pci *pci)
{
	int r = 0;

	pci->irqs.used = pci->irqs.messages = PCI_NO_IRQ_KIND;
	for (enum trn_pci_irq kind = 0; kind < TRN_PCI_NR_IRQS && r == 0; kind++)
		r = init_kind(pci, kind);
	if (r < 0)
		pci_irqs_finish(pci);
	else
		pci_msix_reset(pci);
	return r;
}

void pci_irqs_finish(struct trn_pci *pci)
{
	pci_unmasker_destroy(pci->irqs.intx.unmasker);
	for (enum trn_pci_irq kind = 0; kind < TRN_PCI_NR_IRQS; kind++) {
		pci_irq_unwire(pci, kind);
		free(pci->irqs.kinds[kind].vectors);
	}
	free(pci->irqs.msix.table);
	pci->irqs = (struct pci_irqs){ .used = PCI_NO_IRQ_KIND, .messages = PCI_NO_IRQ_KIND };
}

void pci_irqs_forget_fired(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irq_kind *k = &pci->irqs.kinds[kind];

	for (uint32_t i = 0; i < k->count; i++)
		k->vectors[i].is_pending = k->vectors[i].has_fired = false;
}

void pci_irqs_reset(struct trn_pci *pci)
{
	struct pci_irqs *irqs = &pci->irqs;

	for (enum trn_pci_irq kind = 0; kind < TRN_PCI_NR_IRQS; kind++)
		pci_irqs_forget_fired(pci, kind);
	irqs->intx.level = irqs->intx.is_masked = irqs->intx.is_masked_by_holder = false;
	pci_irqs_forget_messages(pci);
	pci_msix_reset(pci);
}

void pci_irqs_forget_messages(struct trn_pci *pci)
{
	pci->irqs.messages = pci->irqs.used == TRN_PCI_IRQ_INTX ? PCI_NO_IRQ_KIND : pci->irqs.used;
}

void pci_irqs_unwire_all(struct trn_pci *pci)
{
	for (enum trn_pci_irq kind = 0; kind < TRN_PCI_NR_IRQS; kind++)
		pci_irq_unwire(pci, kind);
	pci_unmasker_set(pci, -1);
	pci->irqs.used = PCI_NO_IRQ_KIND;
	pci->irqs.intx.is_masked = pci->irqs.intx.is_masked_by_holder = false;
}

void pci_irqs_update(struct trn_pci *pci)
{
	pci_intx_update(pci);
	pci_irq_flush(pci, TRN_PCI_IRQ_MSI);
	pci_irq_flush(pci, TRN_PCI_IRQ_MSIX);
	pci_irq_flush(pci, TRN_PCI_IRQ_ERR);
}

/* --- What a holder does --- */

int trn_pci_op_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret)
{
	const struct trn_pci *pci = trn_pci_of(trn_use_device(use));

	*ret = (struct trn_irq_info){ 0 };
	if (index < TRN_PCI_NR_IRQS)
		*ret = (struct trn_irq_info){ .count = pci->irqs.kinds[index].count, .flags = pci->irqs.kinds[index].flags };
	return 0;
}

/* What it did not take is not for the next user of the kind, who is told of the last message all the same. */
static void tear_down(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irqs *irqs = &pci->irqs;

	pci_irq_unwire(pci, kind);
	for (uint32_t i = 0; i < irqs->kinds[kind].count; i++)
		irqs->kinds[kind].vectors[i].is_pending = false;
	if (irqs->used != kind)
		return;
	if (kind == TRN_PCI_IRQ_INTX)
		pci_unmasker_set(pci, -1);
	irqs->intx.is_masked = irqs->intx.is_masked_by_holder = false;
	irqs->used = irqs->messages = PCI_NO_IRQ_KIND;
}

static void begin_to_use(struct trn_pci *pci, enum trn_pci_irq kind)
{
	struct pci_irqs *irqs = &pci->irqs;

	if (!is_of_guest(kind) || irqs->used == kind)
		return;
	irqs->used = kind;
	irqs->messages = kind == TRN_PCI_IRQ_INTX ? PCI_NO_IRQ_KIND : kind;
	irqs->intx.is_masked = irqs->intx.is_masked_by_holder = false;
}

static int wire(struct trn_pci *pci, const struct trn_irq_set *set)
{
	int r = pci_irq_wire(pci, set->index, set->start, set->count, set->fds);

	if (r < 0)
		return r;
	begin_to_use(pci, set->index);
	if (set->index == TRN_PCI_IRQ_INTX)
		pci_intx_update(pci);
	return 0;
}

/* The holder's own test, which no mask and no state of migration holds back. */
static void loop_back(struct trn_pci *pci, const struct trn_irq_set *set)
{
	const struct pci_vector *v = &pci->irqs.kinds[set->index].vectors[set->start];

	for (uint32_t i = 0; i < set->count; i++)
		if (v[i].fd >= 0 && (set->data == TRN_IRQ_DATA_NONE || set->bools[i]))
			base_signaller_signal(&pci->signaller, v[i].fd);
}

static int trigger(struct trn_pci *pci, const struct trn_irq_set *set)
{
	if (!set->count) {
		tear_down(pci, set->index);
		return 0;
	}
	if (is_of_guest(set->index) && pci->irqs.used != PCI_NO_IRQ_KIND && pci->irqs.used != set->index)
		return -EINVAL;
	if (set->data == TRN_IRQ_DATA_EVENTFD)
		return wire(pci, set);
	if (is_of_guest(set->index) && pci->irqs.used != set->index)
		return -EINVAL;
	loop_back(pci, set);
	return 0;
}

int trn_pci_op_set_irqs(struct trn_use *use, const struct trn_irq_set *set)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	int r;

	trn_pci_lock(pci);
	if (set->action == TRN_IRQ_TRIGGER)
		r = trigger(pci, set);
	else
		r = set->index == TRN_PCI_IRQ_INTX ? pci_intx_set(pci, set) : -ENOTTY;
	trn_pci_unlock(pci);
	return r;
}

/* --- What the device does --- */

/* Between two holders, and before a holder has wired what a guest has just enabled, configuration space knows. */
static enum trn_pci_irq kind_of_messages(const struct trn_pci *pci)
{
	if (pci->irqs.messages != PCI_NO_IRQ_KIND)
		return pci->irqs.messages;
	if (pci->config.msix && control_word(pci, pci->config.msix) & MSIX_ENABLED)
		return TRN_PCI_IRQ_MSIX;
	if (pci->config.msi && control_word(pci, pci->config.msi) & MSI_ENABLED)
		return TRN_PCI_IRQ_MSI;
	return PCI_NO_IRQ_KIND;
}

static int fire(struct trn_pci *pci, unsigned int vector)
{
	const struct pci_irq_kind *kinds = pci->irqs.kinds;
	enum trn_pci_irq kind = kind_of_messages(pci);

	if (kind == PCI_NO_IRQ_KIND)
		return vector < kinds[TRN_PCI_IRQ_MSI].count || vector < kinds[TRN_PCI_IRQ_MSIX].count ? -ENOTCONN : -EINVAL;
	if (vector >= kinds[kind].count)
		return -EINVAL;
	pci_irq_fire(pci, kind, vector);
	return 0;
}

int trn_pci_fire(struct trn_pci *pci, unsigned int vector)
{
	int r;

	trn_pci_lock(pci);
	r = fire(pci, vector);
	trn_pci_unlock(pci);
	return r;
}

void trn_pci_signal_error(struct trn_pci *pci)
{
	trn_pci_lock(pci);
	if (pci->irqs.kinds[TRN_PCI_IRQ_ERR].count)
		pci_irq_fire(pci, TRN_PCI_IRQ_ERR, 0);
	trn_pci_unlock(pci);
}
