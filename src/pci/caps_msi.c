/* SPDX-License-Identifier: MIT */
/* MSI and MSI-X as configuration space shows them; where messages go is up to whoever wires them (irq.c). */
#include <errno.h>
#include <linux/pci_regs.h>

#include "pci/pci_priv.h"

#define MSI_SIZE 14 /* 64-bit address, no mask */

/* Where the bits are that turn messages on. */
#define MSI_ENABLE_BYTE PCI_MSI_FLAGS
#define MSI_ENABLE_BIT PCI_MSI_FLAGS_ENABLE
#define MSIX_ENABLE_BYTE (PCI_MSIX_FLAGS + 1)
#define MSIX_ENABLE_BIT (PCI_MSIX_FLAGS_ENABLE >> 8)

static bool is_turned_off(uint8_t now, unsigned int byte, uint8_t bit, unsigned int offset, unsigned int len, const uint8_t *before)
{
	return byte >= offset && byte < offset + len && before[byte - offset] & bit && !(now & bit);
}

/* A guest that turns messages off has no use for those of before when it turns them on again; a holder that only exchanges
 * its eventfds does not turn them off. */
static void msix_written(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
			 const uint8_t *before)
{
	if (is_turned_off(pci->config.bytes[part->start + MSIX_ENABLE_BYTE], MSIX_ENABLE_BYTE, MSIX_ENABLE_BIT, offset, len, before))
		pci_irqs_forget_fired(pci, TRN_PCI_IRQ_MSIX);
}

static void msi_written(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len,
			const uint8_t *before)
{
	uint8_t *flags = &pci->config.bytes[part->start + PCI_MSI_FLAGS];
	unsigned int offered = (*flags & PCI_MSI_FLAGS_QMASK) >> 1, wanted = (*flags & PCI_MSI_FLAGS_QSIZE) >> 4;

	if (wanted > offered)
		*flags = (uint8_t)((*flags & ~PCI_MSI_FLAGS_QSIZE) | offered << 4);
	if (is_turned_off(*flags, MSI_ENABLE_BYTE, MSI_ENABLE_BIT, offset, len, before))
		pci_irqs_forget_fired(pci, TRN_PCI_IRQ_MSI);
}

int trn_pci_add_msi(struct trn_pci *pci, unsigned int nr_vectors, struct trn_error *err)
{
	uint8_t bytes[MSI_SIZE] = { 0 }, writable[MSI_SIZE] = { 0 };
	const struct trn_pci_cap cap = { .id = PCI_CAP_ID_MSI, .data = bytes + 2, .writable = writable + 2, .len = MSI_SIZE - 2 };
	struct pci_config_part *part;
	int r;

	if (pci->config.msi)
		return trn_error_set(err, -EINVAL, "Twice", "the device has MSI already");
	if (nr_vectors == 0 || nr_vectors > 32 || nr_vectors & (nr_vectors - 1))
		return trn_error_set(err, -EINVAL, "BadVectors", "MSI has 1, 2, 4, 8, 16 or 32 vectors, not %u", nr_vectors);
	pci_config_put16(bytes + PCI_MSI_FLAGS, (uint16_t)(PCI_MSI_FLAGS_64BIT | __builtin_ctz(nr_vectors) << 1));
	pci_config_put16(writable + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	pci_config_put32(writable + PCI_MSI_ADDRESS_LO, ~3u);
	pci_config_put32(writable + PCI_MSI_ADDRESS_HI, ~0u);
	pci_config_put16(writable + PCI_MSI_DATA_64, 0xffff);
	r = pci_caps_add(pci, &cap, &part, err);
	if (r < 0)
		return r;
	part->written = msi_written;
	pci->config.msi = part->start;
	return r;
}

static int check_msix(const struct trn_pci *pci, unsigned int nr_vectors, unsigned int bar, uint32_t table_offset,
		      uint32_t pba_offset, struct trn_error *err)
{
	if (pci->config.msix)
		return trn_error_set(err, -EINVAL, "Twice", "the device has MSI-X already");
	if (nr_vectors == 0 || nr_vectors > 2048)
		return trn_error_set(err, -EINVAL, "BadVectors", "MSI-X has 1 to 2048 vectors, not %u", nr_vectors);
	if (bar > 5 || table_offset % 8 || pba_offset % 8)
		return trn_error_set(err, -EINVAL, "BadTable", "MSI-X in BAR %u at %#x and %#x: not a BAR, or not multiples of 8", bar,
				     table_offset, pba_offset);
	return 0;
}

int trn_pci_add_msix(struct trn_pci *pci, unsigned int nr_vectors, unsigned int bar, uint32_t table_offset,
		     uint32_t pba_offset, struct trn_error *err)
{
	uint8_t bytes[PCI_CAP_MSIX_SIZEOF] = { 0 }, writable[PCI_CAP_MSIX_SIZEOF] = { 0 };
	const struct trn_pci_cap cap = {
		.id = PCI_CAP_ID_MSIX,
		.data = bytes + 2,
		.writable = writable + 2,
		.len = PCI_CAP_MSIX_SIZEOF - 2,
	};
	struct pci_config_part *part;
	int r = check_msix(pci, nr_vectors, bar, table_offset, pba_offset, err);

	if (r < 0)
		return r;
	pci_config_put16(bytes + PCI_MSIX_FLAGS, (uint16_t)(nr_vectors - 1));
	pci_config_put16(writable + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_config_put32(bytes + PCI_MSIX_TABLE, table_offset | bar);
	pci_config_put32(bytes + PCI_MSIX_PBA, pba_offset | bar);
	r = pci_caps_add(pci, &cap, &part, err);
	if (r < 0)
		return r;
	part->written = msix_written;
	pci->config.msix = part->start;
	pci->irqs.msix.bar = bar;
	pci->irqs.msix.table_offset = table_offset;
	pci->irqs.msix.pba_offset = pba_offset;
	return r;
}
