/* SPDX-License-Identifier: MIT */
/* Devices of several shapes, each made once, and the model of each. */
#ifndef FUZZ_PCI_SHAPES_H
#define FUZZ_PCI_SHAPES_H

#include "pci_model.h"
#include "tranche/mdev.h"
#include "tranche/pci.h"

#define SHAPED_NR_EVENTFDS 4u
#define SHAPED_STORAGE 512u

struct shape;

struct shaped {
	const struct shape *shape;
	struct trn_device *dev;
	struct trn_pci *pci;
	struct trn_use *use; /* NULL: not open */
	struct model model;
	unsigned int nr_caps, nr_ext_caps;
	unsigned int nr_irqs[TRN_PCI_NR_IRQS];
	int eventfds[SHAPED_NR_EVENTFDS];
	uint8_t storage[6][SHAPED_STORAGE]; /* of BARs that are no memory: their first bytes */
};

/* Any number chooses a device. */
struct shaped *shaped_get(unsigned int number);
void shaped_open(struct shaped *s);
void shaped_close(struct shaped *s);

#endif
