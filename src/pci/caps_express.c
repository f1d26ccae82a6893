/* SPDX-License-Identifier: MIT */
/* PCI Express: an endpoint behind one lane, with function-level reset. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "pci/pci_priv.h"

#define SIZE 60 /* of version 2 */

static void express_written(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
			    const uint8_t *before)
{
	/* The reset clears the bit with all others. */
	if (pci_config_get16(pci->config.bytes + part->start + PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_BCR_FLR)
		pci_reset(pci);
}

static void fill(uint8_t *cap, uint8_t *writable)
{
	const uint16_t control = PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B;

	pci_config_put16(cap + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
	pci_config_put32(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR); /* payloads of 128 bytes */
	pci_config_put16(cap + PCI_EXP_DEVCTL, control);
	pci_config_put16(writable + PCI_EXP_DEVCTL,
			 PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
			 PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ | PCI_EXP_DEVCTL_BCR_FLR);
	pci_config_put32(cap + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4);
	pci_config_put16(cap + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
	pci_config_put32(cap + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB);
	pci_config_put16(cap + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT);
}

int trn_pci_add_express(struct trn_pci *pci, struct trn_error *err)
{
	uint8_t bytes[SIZE] = { 0 }, writable[SIZE] = { 0 };
	const struct trn_pci_cap cap = { .id = PCI_CAP_ID_EXP, .data = bytes + 2, .writable = writable + 2, .len = SIZE - 2 };
	struct pci_config_part *part;
	int r;

	if (!(pci->flags & TRN_PCI_EXPRESS))
		return trn_error_set(err, -EINVAL, "NotExpress", "the capability needs the flag TRN_PCI_EXPRESS");
	if (pci->config.express)
		return trn_error_set(err, -EINVAL, "Twice", "the device has the capability of PCI Express already");
	fill(bytes, writable);
	r = pci_caps_add(pci, &cap, &part, err);
	if (r < 0)
		return r;
	part->written = express_written;
	pci->config.express = part->start;
	return r;
}
