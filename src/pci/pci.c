/* SPDX-License-Identifier: MIT */
/* A PCI device from create to destroy, its holder, and its reset. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pci/pci_priv.h"
#include "tranche/mdev.h"

#define ALL_FLAGS (TRN_PCI_EXPRESS | TRN_PCI_INTX | TRN_PCI_ASK_TO_LEAVE | TRN_PCI_ERR)

static const struct trn_pci_ops no_ops;

int trn_pci_create(struct trn_device *dev, const struct trn_pci_params *params, struct trn_pci **ret, struct trn_error *err)
{
	_cleanup_free_ struct trn_pci *pci = NULL;

	if (params->ids.class_code >> 24)
		return trn_error_set(err, -EINVAL, "BadClass", "class %#x has more than 24 bits", params->ids.class_code);
	if (params->flags & ~ALL_FLAGS)
		return trn_error_set(err, -EINVAL, "BadFlags", "unknown flags %#x of a PCI device", params->flags & ~ALL_FLAGS);
	pci = calloc(1, sizeof(*pci));
	if (!pci)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a PCI device");
	pci_lock_init(&pci->lock);
	pci->dev = dev;
	pci->ids = params->ids;
	pci->flags = params->flags;
	pci->ops = params->ops ? params->ops : &no_ops;
	pci->migration = params->migration;
	pci->priv = params->priv;
	base_signaller_init(&pci->signaller);
	pci_config_init(pci);
	pci_regions_init(pci);
	pci_migration_init(pci);
	trn_device_set_priv(dev, pci);
	*ret = TAKE_PTR(pci);
	return 0;
}

int trn_pci_realize(struct trn_pci *pci, struct trn_error *err)
{
	int r;

	if (pci->is_realized)
		return trn_error_set(err, -EINVAL, "Twice", "the device is complete already");
	r = pci_regions_check(pci, err);
	if (r < 0)
		return r;
	r = pci_irqs_init(pci);
	if (r < 0)
		return trn_error_set(err, r, "NoMemory", "no memory for the interrupts of a PCI device");
	pci_config_seal(pci);
	pci->is_realized = true;
	return 0;
}

void trn_pci_destroy(struct trn_pci *pci)
{
	if (!pci)
		return;
	pci_migration_finish(pci);
	pci_dma_log_stop(pci);
	pci_irqs_finish(pci);
	pci_regions_finish(pci);
	base_signaller_finish(&pci->signaller);
	free(pci);
}

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
	pci_lock_take(&pci->lock);
}

void trn_pci_unlock(struct trn_pci *pci)
{
	pci_lock_give(&pci->lock);
}

static int take(struct trn_pci *pci, struct trn_use *use, struct trn_error *err)
{
	int r;

	if (!pci->is_realized)
		return trn_error_set(err, -ENODEV, "NotComplete", "the device's driver has not completed it");
	if (pci->use) {
		trn_error_set(err, -EBUSY, "InUse", "the device is open, by %s", trn_use_holder(pci->use));
		trn_error_hint(err, "a PCI device has one holder at a time: end that one first");
		return -EBUSY;
	}
	pci->use = use;
	r = pci->ops->opened ? pci->ops->opened(pci, err) : 0;
	if (r < 0)
		pci->use = NULL;
	return r < 0 ? r : 0;
}

int trn_pci_op_open(struct trn_use *use, struct trn_error *err)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	int r;

	trn_pci_lock(pci);
	r = take(pci, use, err);
	trn_pci_unlock(pci);
	return r;
}

void trn_pci_op_close(struct trn_use *use)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));

	trn_pci_lock(pci);
	/* First, so that a driver which goes on now asks nothing of who has gone. */
	pci->use = NULL;
	pci_irqs_unwire_all(pci);
	pci_dma_log_stop(pci);
	/* The next holder finds a device that runs, as after any open in VFIO; but only a reset leads out of ERROR. */
	if (pci->mig.state != TRN_MIG_ERROR)
		pci_migration_reset(pci);
	if (pci->ops->closed)
		pci->ops->closed(pci);
	trn_pci_unlock(pci);
}

void trn_pci_op_request(struct trn_device *dev, unsigned int nr_asked)
{
	const struct trn_irq_set fire = { .index = TRN_PCI_IRQ_REQ, .count = 1, .action = TRN_IRQ_TRIGGER };
	struct trn_pci *pci = trn_pci_of(dev);

	trn_pci_lock(pci);
	if (pci->use && pci->flags & TRN_PCI_ASK_TO_LEAVE)
		trn_pci_op_set_irqs(pci->use, &fire);
	trn_pci_unlock(pci);
}

void pci_reset(struct trn_pci *pci)
{
	/* Nothing that fired before may come after, and a device that was stopped starts with the new state. */
	pci_irqs_reset(pci);
	pci_config_reset(pci);
	if (pci->ops->reset)
		pci->ops->reset(pci);
	pci_migration_reset(pci);
}

int trn_pci_op_reset(struct trn_use *use)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));

	trn_pci_lock(pci);
	pci_reset(pci);
	trn_pci_unlock(pci);
	return 0;
}

void trn_pci_op_info(struct trn_use *use, struct trn_device_info *ret)
{
	*ret = (struct trn_device_info){
		.flags = TRN_DEVICE_RESET | TRN_DEVICE_PCI,
		.nr_regions = trn_pci_of(trn_use_device(use))->nr_regions,
		.nr_irqs = TRN_PCI_NR_IRQS,
	};
}
