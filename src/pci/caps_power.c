/* SPDX-License-Identifier: MIT */
/* Power management: D0 and D3hot; waking from D3hot is no reset (No_Soft_Reset), as the state is in memory all the time. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "pci/pci_priv.h"

static void pm_written(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
		       const uint8_t *before)
{
	uint8_t *state = &pci->config.bytes[part->start + PCI_PM_CTRL];

	if (offset != PCI_PM_CTRL)
		return;
	/* A state that the device does not have is not entered. */
	if ((*state & PCI_PM_CTRL_STATE_MASK) == 1 || (*state & PCI_PM_CTRL_STATE_MASK) == 2)
		*state = (*state & ~PCI_PM_CTRL_STATE_MASK) | (before[0] & PCI_PM_CTRL_STATE_MASK);
	pci_config_update(pci);
}

int trn_pci_add_pm(struct trn_pci *pci, struct trn_error *err)
{
	uint8_t data[PCI_PM_SIZEOF - 2] = { 0 }, writable[PCI_PM_SIZEOF - 2] = { 0 };
	const struct trn_pci_cap cap = { .id = PCI_CAP_ID_PM, .data = data, .writable = writable, .len = sizeof(data) };
	struct pci_config_part *part;
	int r;

	if (pci->config.pm)
		return trn_error_set(err, -EINVAL, "Twice", "the device has power management already");
	pci_config_put16(data + PCI_PM_PMC - 2, 3); /* version 1.2 */
	pci_config_put16(data + PCI_PM_CTRL - 2, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_config_put16(writable + PCI_PM_CTRL - 2, PCI_PM_CTRL_STATE_MASK);
	r = pci_caps_add(pci, &cap, &part, err);
	if (r < 0)
		return r;
	part->written = pm_written;
	pci->config.pm = part->start;
	return r;
}
