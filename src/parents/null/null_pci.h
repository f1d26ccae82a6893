/* SPDX-License-Identifier: MIT */
/* The smallest PCI device: 1af4:10f1, class 0xff0000, with nothing but a configuration space.  Type: null-small. */
#ifndef PARENTS_NULL_PCI_H
#define PARENTS_NULL_PCI_H

#include "tranche/mdev.h"

/* Registers a parent that has room for 1024 devices. The results are those of trn_parent_register(). */
int null_pci_parent_register(struct trn_core *core, const char *name, struct trn_parent **ret, struct trn_error *err);

#endif
