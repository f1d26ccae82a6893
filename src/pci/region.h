/* SPDX-License-Identifier: MIT */
/* Regions: BARs, ROM and the device's own, their memory, and the writes that only wake somebody. */
#ifndef PCI_REGION_H
#define PCI_REGION_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdbool.h>
#include <stdint.h>

#include "tranche/pci.h"

#define PCI_NR_OWN_REGIONS 16u
#define PCI_NR_REGIONS (TRN_PCI_REGION_FIRST_OWN + PCI_NR_OWN_REGIONS)
#define PCI_MAX_IOEVENTFDS 64u

struct pci_region {
	uint64_t size; /* 0: none */
	uint32_t flags; /* TRN_PCI_BAR_* */
	int (*rw)(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);
	ssize_t (*areas)(struct trn_pci *pci, struct trn_span *ret, size_t max);
	int fd; /* own; valid with TRN_PCI_BAR_RAM */
	uint64_t fd_offset;
	uint8_t *ram; /* size bytes; NULL: none */
	bool is_read_only; /* the ROM */
	uint32_t type, subtype; /* of own regions */
};

struct pci_ioeventfd {
	unsigned int region;
	struct trn_ioeventfd ev; /* own descriptors */
	uint8_t *shadow; /* 8 bytes of mapped shadow memory, or NULL */
};

struct pci_ioeventfds {
	struct pci_ioeventfd list[PCI_MAX_IOEVENTFDS];
	unsigned int nr;
};

void pci_regions_init(struct trn_pci *pci);
void pci_regions_finish(struct trn_pci *pci);
/* Checked access of a holder: gating, ioeventfds, MSI-X table, RAM, driver. 0 or -errno. */
int pci_region_access(struct trn_pci *pci, uint32_t index, uint64_t offset, void *buf, size_t len, bool is_write);

/* mapping.c: takes away all pages of all mappings of holders in this process; they fault anew. */
void pci_mappings_zap(struct trn_pci *pci);

#endif
