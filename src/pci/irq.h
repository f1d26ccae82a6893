/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: wiring to eventfds, the level and the mask of INTx, messages, and the MSI-X table.
 *
 * A holder uses one of INTx, MSI and MSI-X at a time: from the first wiring of a vector (also with -1) until it tears
 * the whole kind down.  The MSI-X table and the enable bits of configuration space are storage: holders read them and
 * wire vectors accordingly; only where nothing is wired (the next holder has not come yet) the enable bits say
 * whether a message is to be remembered.
 */
#ifndef PCI_IRQ_H
#define PCI_IRQ_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tranche/pci.h"

#define PCI_NO_IRQ_KIND TRN_PCI_NR_IRQS

struct pci_unmasker; /* irq_unmask.c */

struct pci_vector {
	int fd; /* own duplicate; -1: not wired */
	bool is_pending; /* fired while it was not wired, or while the device starts no interrupts */
	/* Since reset: an eventfd that takes the place of another is signalled once, as the last signal may be lost. */
	bool has_fired;
};

struct pci_irq_kind {
	struct pci_vector *vectors; /* [const] count of them; owned */
	uint32_t count; /* [const] 0: the device has no such kind */
	uint32_t flags; /* [const] TRN_IRQ_* */
};

struct pci_msix_table {
	uint8_t *table; /* 16 bytes a vector; owned; NULL until realize */
	uint32_t table_offset, pba_offset; /* [const] by trn_pci_add_msix() */
	unsigned int bar;
};

struct pci_intx {
	bool level; /* asserted by the device */
	bool is_masked; /* by itself, when it fired */
	bool is_masked_by_holder; /* an unmask takes both away */
	struct pci_unmasker *unmasker; /* waits for an eventfd that unmasks; made when first needed, until finish */
};

struct pci_irqs {
	struct pci_irq_kind kinds[TRN_PCI_NR_IRQS];
	enum trn_pci_irq used; /* INTx, MSI or MSI-X, which the holder uses now; PCI_NO_IRQ_KIND: none */
	enum trn_pci_irq messages; /* MSI or MSI-X, which was used last; a holder that left does not change it */
	struct pci_intx intx;
	struct pci_msix_table msix;
};

int pci_irqs_init(struct trn_pci *pci); /* by realize */
/* Also of a device that was never realized; the one call without the lock, as it waits for a thread that may want it. */
void pci_irqs_finish(struct trn_pci *pci);
/* Level, masks, pending and the MSI-X table as after init; the wiring stays. */
void pci_irqs_reset(struct trn_pci *pci);
/* The guest has turned that kind off: what fired until now is nobody's. */
void pci_irqs_forget_fired(struct trn_pci *pci, enum trn_pci_irq kind);
/* The holder is gone: nothing is wired any more. What fired stays remembered for the next one. */
void pci_irqs_unwire_all(struct trn_pci *pci);
/* COMMAND, the power state or the activity has changed: looks at the level and at pending messages again. */
void pci_irqs_update(struct trn_pci *pci);

/* Is [offset, offset + len) of that BAR wholly or partly table or pending bits?  Then the access is done there, cut into
 * what is inside and what is not by the caller (region.c), with these: */
bool pci_msix_overlaps(const struct trn_pci *pci, unsigned int bar, uint64_t offset, size_t len);
/* One byte range that lies wholly inside the table, or wholly inside the pending bits. */
void pci_msix_access(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);

/* State for migration: a blob of fixed size for a given shape. */
size_t pci_irqs_state_size(const struct trn_pci *pci);
void pci_irqs_save(const struct trn_pci *pci, void *buf);
int pci_irqs_check(const struct trn_pci *pci, const void *buf, size_t len, struct trn_error *err);
void pci_irqs_load(struct trn_pci *pci, const void *buf); /* checked before */

#endif
