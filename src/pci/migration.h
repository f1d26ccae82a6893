/* SPDX-License-Identifier: MIT */
/* The states of migration, and what is being saved or loaded meanwhile. */
#ifndef PCI_MIGRATION_H
#define PCI_MIGRATION_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include "tranche/device.h"

struct trn_pci;
struct pci_saver;  /* save.c: makes the stream, piece by piece */
struct pci_loader; /* load.c: takes a stream in, without touching the device until it is whole */

struct pci_migration {
	enum trn_mig_state state;
	struct pci_saver *saver; /* in PRE_COPY, PRE_COPY_P2P, STOP_COPY */
	struct pci_loader *loader; /* in RESUMING */
};

void pci_migration_init(struct trn_pci *pci);
/* Back to RUNNING, whatever is under way is given up; also at the end of the device. */
void pci_migration_reset(struct trn_pci *pci);

#endif
