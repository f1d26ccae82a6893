/* SPDX-License-Identifier: MIT */
#include "pci/pci_priv.h"
#include "tranche/mdev.h"

struct trn_pci *trn_pci_of(const struct trn_device *dev)
{
	return trn_device_priv(dev);
}

struct trn_device *trn_pci_device(const struct trn_pci *pci)
{
	return pci->dev;
}

void *trn_pci_priv(const struct trn_pci *pci)
{
	return pci->priv;
}

void trn_pci_lock(struct trn_pci *pci)
{
	pthread_mutex_lock(&pci->lock);
}

void trn_pci_unlock(struct trn_pci *pci)
{
	pthread_mutex_unlock(&pci->lock);
}
