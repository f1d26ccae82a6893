/* SPDX-License-Identifier: MIT */
/*
 * The library's own view of a PCI device.  Drivers see tranche/pci.h alone; the build proves it: outside of src/pci this
 * header does not compile.
 *
 * Locking: everything in struct trn_pci is read and written under its lock, except what is marked [const], which is fixed
 * by trn_pci_realize().  Public functions take the lock themselves; functions of this folder that begin with pci_ expect
 * it to be held.
 */
#ifndef PCI_PRIV_H
#define PCI_PRIV_H

#ifndef TRANCHE_BUILDING_PCI
#error "pci_priv.h belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/signaller.h"
#include "pci/config.h"
#include "pci/dma.h"
#include "pci/dma_log.h"
#include "pci/irq.h"
#include "pci/lock.h"
#include "pci/migration.h"
#include "pci/region.h"
#include "tranche/pci.h"

struct trn_pci {
	struct pci_lock lock;
	struct trn_device *dev; /* [const] no reference: the device owns us */
	struct trn_pci_ids ids; /* [const] */
	uint32_t flags; /* [const] TRN_PCI_* */
	const struct trn_pci_ops *ops; /* [const] never NULL: an empty table stands in */
	const struct trn_pci_migration *migration; /* [const] */
	void *priv; /* [const] */
	bool is_realized; /* [const] */

	struct trn_use *use; /* the holder; NULL: nobody */
	enum trn_pci_activity activity; /* set by migration.c alone */

	struct pci_config config;
	struct pci_region regions[PCI_NR_REGIONS]; /* [const] by index */
	unsigned int nr_regions; /* [const] 9 + own ones */
	struct pci_ioeventfds ioeventfds;
	struct base_list mappings; /* of holders in this process: mapping.c */

	struct base_signaller signaller;
	struct pci_irqs irqs;
	struct pci_migration mig;
	struct pci_dma dma;
	struct pci_dma_log *log; /* NULL: nothing is logged */
};

/* pci.c: resets everything but DMA maps, logging and the wiring of interrupts; in every state. */
void pci_reset(struct trn_pci *pci);

#endif
