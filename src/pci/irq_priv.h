/* SPDX-License-Identifier: MIT */
/* What the irq*.c files share; nobody else includes it. */
#ifndef PCI_IRQ_PRIV_H
#define PCI_IRQ_PRIV_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include "pci/pci_priv.h"

/* irq.c: which messages are in use is for the holder to say, or for configuration space, and not for who was here before. */
void pci_irqs_forget_messages(struct trn_pci *pci);

/* irq_wire.c */
int pci_irq_dup(int fd); /* an eventfd's duplicate, -EINVAL (something else), or the error of dup(2) */
/* Fires one vector: now, or as soon as it can. */
void pci_irq_fire(struct trn_pci *pci, enum trn_pci_irq kind, unsigned int vector);
/* What is pending and may be delivered now is. */
void pci_irq_flush(struct trn_pci *pci, enum trn_pci_irq kind);
/* All or nothing; count fds into the vectors from start on. */
int pci_irq_wire(struct trn_pci *pci, enum trn_pci_irq kind, uint32_t start, uint32_t count, const int *fds);
void pci_irq_unwire(struct trn_pci *pci, enum trn_pci_irq kind);

/* irq_intx.c */
void pci_intx_update(struct trn_pci *pci); /* signals when the level asks for it and nothing forbids it */
void pci_intx_unmask(struct trn_pci *pci);
int pci_intx_set(struct trn_pci *pci, const struct trn_irq_set *set); /* MASK and UNMASK */

/* irq_unmask.c */
/* fd: duplicated; -1: none. 0, or the error of dup(2), eventfd(2) or pthread_create(3). */
int pci_unmasker_set(struct trn_pci *pci, int fd);
void pci_unmasker_destroy(struct pci_unmasker *u); /* without the lock; NULL is accepted */

/* irq_msix.c */
int pci_msix_init(struct trn_pci *pci, unsigned int nr_vectors);
void pci_msix_reset(struct trn_pci *pci);

#endif
