/* SPDX-License-Identifier: MIT */
/* The first 64 bytes: identity, COMMAND, and the registers of BARs and ROM, whose read-only low bits are their size. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "pci/pci_priv.h"

static void header_written(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
			   const uint8_t *before)
{
	if (offset < PCI_STATUS && offset + len > PCI_COMMAND)
		pci_config_update(pci);
}

static void fill_identity(struct trn_pci *pci)
{
	uint8_t *b = pci->config.bytes;

	pci_config_put16(b + PCI_VENDOR_ID, pci->ids.vendor);
	pci_config_put16(b + PCI_DEVICE_ID, pci->ids.device);
	pci_config_put32(b + PCI_CLASS_REVISION, pci->ids.class_code << 8 | pci->ids.revision);
	pci_config_put16(b + PCI_SUBSYSTEM_VENDOR_ID, pci->ids.subsystem_vendor);
	pci_config_put16(b + PCI_SUBSYSTEM_ID, pci->ids.subsystem);
	if (pci->flags & TRN_PCI_INTX)
		b[PCI_INTERRUPT_PIN] = 1;
}

void pci_config_init(struct trn_pci *pci)
{
	struct pci_config *c = &pci->config;

	c->size = pci->flags & TRN_PCI_EXPRESS ? PCI_CONFIG_LARGE : PCI_CONFIG_SMALL;
	c->next_cap = PCI_STD_HEADER_SIZEOF;
	c->next_ext_cap = PCI_CONFIG_SMALL;
	c->parts[c->nr_parts++] = (struct pci_config_part){ .len = PCI_STD_HEADER_SIZEOF, .written = header_written };
	fill_identity(pci);
	pci_config_put16(c->writable + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	c->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	c->writable[PCI_LATENCY_TIMER] = 0xff;
	c->writable[PCI_INTERRUPT_LINE] = 0xff;
}

static uint32_t bar_kind(uint32_t flags)
{
	uint32_t kind = 0;

	if (flags & TRN_PCI_BAR_IO)
		return PCI_BASE_ADDRESS_SPACE_IO;
	if (flags & TRN_PCI_BAR_64)
		kind |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (flags & TRN_PCI_BAR_PREFETCH)
		kind |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	return kind;
}

void pci_config_add_bar(struct trn_pci *pci, unsigned int index, uint64_t size, uint32_t flags)
{
	struct pci_config *c = &pci->config;
	unsigned int at = PCI_BASE_ADDRESS_0 + 4 * index;
	uint64_t mask = ~(size - 1);

	pci_config_put32(c->bytes + at, bar_kind(flags));
	pci_config_put32(c->writable + at, (uint32_t)mask);
	if (flags & TRN_PCI_BAR_64)
		pci_config_put32(c->writable + at + 4, (uint32_t)(mask >> 32));
}

void pci_config_add_rom(struct trn_pci *pci, uint64_t size)
{
	uint32_t mask = ~((uint32_t)size - 1);

	pci_config_put32(pci->config.writable + PCI_ROM_ADDRESS, mask | PCI_ROM_ADDRESS_ENABLE);
}
