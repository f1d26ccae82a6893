/* SPDX-License-Identifier: MIT */
/* Configuration space that comes from another device: what nobody may change must be as it is here. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "pci/pci_priv.h"

/* A driver may change all of its own capabilities, and errors are reported in STATUS and the Express device status. */
static uint8_t changeable_bits(const struct pci_config *c, unsigned int at)
{
	for (unsigned int i = 0; i < c->nr_parts; i++) {
		const struct pci_config_part *part = &c->parts[i];

		if (part->is_drivers && at >= part->start + part->header_len && at < (unsigned int)part->start + part->len)
			return 0xff;
	}
	if (at == PCI_STATUS + 1)
		return 0xf9;
	if (c->express && at == (unsigned int)c->express + PCI_EXP_DEVSTA)
		return 0x0f;
	return c->writable[at];
}

static int refuse(struct trn_error *err, unsigned int at, unsigned int got, unsigned int have)
{
	return trn_error_set(err, -EINVAL, "OtherDevice", "configuration space at %#x has %#x, this device has %#x", at, got, have);
}

/* Values that a guest could not have brought about although the bits are its own. */
static int check_registers(const struct pci_config *c, const uint8_t *bytes, struct trn_error *err)
{
	if (c->pm) {
		unsigned int state = bytes[c->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;

		if (state == 1 || state == 2)
			return refuse(err, c->pm + PCI_PM_CTRL, state, 0);
	}
	if (c->msi) {
		unsigned int flags = bytes[c->msi + PCI_MSI_FLAGS];

		if ((flags & PCI_MSI_FLAGS_QSIZE) >> 4 > (flags & PCI_MSI_FLAGS_QMASK) >> 1)
			return refuse(err, c->msi + PCI_MSI_FLAGS, flags, c->bytes[c->msi + PCI_MSI_FLAGS]);
	}
	if (c->express && pci_config_get16(bytes + c->express + PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_BCR_FLR)
		return refuse(err, c->express + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR, 0);
	return 0;
}

int pci_config_check(const struct trn_pci *pci, const uint8_t *bytes, size_t len, struct trn_error *err)
{
	const struct pci_config *c = &pci->config;

	if (len != c->size)
		return trn_error_set(err, -EINVAL, "OtherDevice", "configuration space has %zu bytes, this device's has %u", len,
				     c->size);
	for (unsigned int at = 0; at < c->size; at++) {
		uint8_t differs = bytes[at] ^ c->bytes[at];

		/* The masks are looked up for what differs alone: that is little. */
		if (differs && differs & ~changeable_bits(c, at))
			return refuse(err, at, bytes[at], c->bytes[at]);
	}
	return check_registers(c, bytes, err);
}

void pci_config_swap(struct trn_pci *pci, uint8_t *bytes)
{
	for (unsigned int at = 0; at < pci->config.size; at++) {
		uint8_t byte = bytes[at];

		bytes[at] = pci->config.bytes[at];
		pci->config.bytes[at] = byte;
	}
}
