/* SPDX-License-Identifier: MIT */
/* Which pages of the holder's memory the device has written. */
#ifndef PCI_DMA_LOG_H
#define PCI_DMA_LOG_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdint.h>

struct trn_pci;
struct pci_dma_log;

/* The device writes [iova, iova + len); nothing happens while nothing is logged. */
void pci_dma_log_mark(struct trn_pci *pci, uint64_t iova, uint64_t len);
void pci_dma_log_stop(struct trn_pci *pci);

#endif
