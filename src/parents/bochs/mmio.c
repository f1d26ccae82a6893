/* SPDX-License-Identifier: MIT */
/* BAR2. What stands nowhere below reads as 0, and writes to it are lost. */
#include <linux/vfio.h>

#include "parents/bochs/priv.h"

#define MMIO_EDID 0x000u /* up to the VGA ports */
#define MMIO_VGA 0x400u	 /* ports 0x3c0 to 0x3df: drivers unblank through them; nothing here is ever blank */
#define MMIO_DISPI 0x500u
#define MMIO_DISPI_END (MMIO_DISPI + 2 * BOCHS_NR_REGS)

static uint8_t read_byte(const struct bochs *b, uint64_t offset)
{
	const struct bochs_monitor *monitor = &b->monitor;

	if (offset >= MMIO_DISPI && offset < MMIO_DISPI_END)
		return (uint8_t)(bochs_dispi_read(b, (unsigned int)(offset - MMIO_DISPI) / 2) >> (offset & 1) * 8);
	if (offset < MMIO_VGA && monitor->link == VFIO_DEVICE_GFX_LINK_STATE_UP && offset - MMIO_EDID < monitor->edid_size)
		return monitor->edid[offset - MMIO_EDID];
	return 0;
}

/* A register that is written in part keeps the other byte. Return: how many bytes it took. */
static size_t write_dispi(struct bochs *b, uint64_t offset, const uint8_t *buf, size_t len)
{
	unsigned int reg = (unsigned int)(offset - MMIO_DISPI) / 2;
	size_t n = (offset & 1) || len == 1 ? 1 : 2;
	uint16_t value = b->regs[reg];

	if (n == 2)
		value = (uint16_t)(buf[0] | buf[1] << 8);
	else if (offset & 1)
		value = (uint16_t)((value & 0x00ff) | buf[0] << 8);
	else
		value = (uint16_t)((value & 0xff00) | buf[0]);
	bochs_dispi_write(b, reg, value);
	return n;
}

int bochs_mmio_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct bochs *b = trn_pci_priv(pci);
	uint8_t *bytes = buf;

	for (size_t i = 0; i < len;) {
		uint64_t at = offset + i;

		if (is_write && at >= MMIO_DISPI && at < MMIO_DISPI_END) {
			i += write_dispi(b, at, bytes + i, len - i);
			continue;
		}
		if (!is_write)
			bytes[i] = read_byte(b, at);
		i++;
	}
	return 0;
}
