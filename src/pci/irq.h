/* SPDX-License-Identifier: MIT */
/* Interrupts: wiring to eventfds, the level and the mask of INTx, messages, and the MSI-X table. */
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

struct pci_vector {
	int fd; /* own duplicate; -1: not wired */
	bool is_pending; /* fired while it was not wired */
	bool has_fired; /* since reset: an eventfd that takes the place of another is signalled once, as the last signal may be lost */
};

struct pci_irq_kind {
	struct pci_vector *vectors; /* [const] count of them; owned */
	uint32_t count; /* [const] 0: the device has no such kind */
	uint32_t flags; /* [const] TRN_IRQ_* */
	uint32_t nr_wired;
};

struct pci_msix_table {
	uint8_t *table; /* 16 bytes a vector; owned */
	uint32_t table_offset, pba_offset;
	unsigned int bar;
};

struct pci_intx {
	bool level; /* asserted by the device */
	bool is_masked; /* by the holder, or by itself when it fired */
	bool is_masked_by_holder; /* by the holder: unmask takes it away too */
	int unmask_fd; /* own: a signal unmasks; -1: none */
	struct pci_unmasker *unmasker; /* the thread that waits for it, made when first needed */
};

struct pci_irqs {
	struct pci_irq_kind kinds[TRN_PCI_NR_IRQS];
	struct pci_intx intx;
	struct pci_msix_table msix;
};

int pci_irqs_init(struct trn_pci *pci); /* by realize */
void pci_irqs_finish(struct trn_pci *pci); /* also of a device that was never realized */
/* Level, masks, pending and the MSI-X table as after init; the wiring stays. */
void pci_irqs_reset(struct trn_pci *pci);
/* The holder is gone: nothing is wired any more. */
void pci_irqs_unwire_all(struct trn_pci *pci);
/* COMMAND or the power state has changed: looks at the level again. */
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
