/* SPDX-License-Identifier: MIT */
/* DMA of the device: who may, and what is under way. */
#ifndef PCI_DMA_H
#define PCI_DMA_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

struct pci_dma {
	unsigned int nr_under_way; /* requests whose done has not returned */
};

#endif
