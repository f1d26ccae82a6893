/* SPDX-License-Identifier: MIT */
/* Regions: BARs, ROM and the device's own, their memory, and the writes that only wake somebody. */
#ifndef PCI_REGION_H
#define PCI_REGION_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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
/* By realize: do the BARs, the MSI-X table and the ioeventfds fit together? */
int pci_regions_check(const struct trn_pci *pci, struct trn_error *err);
/* The region of an index; NULL: there is none that drivers and the library make (configuration space is not here). */
const struct pci_region *pci_region_at(const struct trn_pci *pci, uint32_t index);
/* Do COMMAND and the power state let accesses through? */
bool pci_region_is_on(const struct trn_pci *pci, uint32_t index);

/* region_access.c: checked access of a holder: gating, ioeventfds, MSI-X table, RAM, driver. 0 or -errno. */
int pci_region_access(struct trn_pci *pci, uint32_t index, uint64_t offset, void *buf, size_t len, bool is_write);
/* region_ioeventfd.c: signals, when the write is one that only wakes somebody. */
bool pci_ioeventfds_catch(struct trn_pci *pci, uint32_t index, uint64_t offset, const void *buf, size_t len);
int pci_ioeventfds_check(const struct trn_pci *pci, struct trn_error *err);
void pci_ioeventfds_finish(struct trn_pci *pci);

/* region_areas.c: what holders may map now, without the pages of the MSI-X table; as region_areas. */
ssize_t pci_region_areas(struct trn_pci *pci, uint32_t index, struct trn_span *ret, size_t max);
/* The bytes that the MSI-X table and the pending bits take of a region: 0 or 2 spans in no order. */
unsigned int pci_region_msix_spans(const struct trn_pci *pci, uint32_t index, struct trn_span ret[2]);
/* Which bytes from offset on are alike: does the driver let them be mapped now, or not?  The MSI-X table does not count here.
 * 0, or -errno of the driver. */
struct pci_extent {
	uint64_t end;
	bool is_open;
};
int pci_region_extent(struct trn_pci *pci, uint32_t index, uint64_t offset, struct pci_extent *ret);
/* May the page be mapped now? */
bool pci_region_may_map(struct trn_pci *pci, uint32_t index, uint64_t page);

/* mapping.c: takes away all pages of all mappings of holders in this process; they fault anew. */
void pci_mappings_zap(struct trn_pci *pci);

#endif
