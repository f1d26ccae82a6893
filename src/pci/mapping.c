/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "pci/pci_priv.h"

void pci_mappings_zap(struct trn_pci *pci)
{
}
