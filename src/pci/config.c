/* SPDX-License-Identifier: MIT */
#include "pci/config.h"

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/range.h"
#include "pci/pci_priv.h"

uint16_t pci_config_get16(const uint8_t *from)
{
	uint16_t v;

	memcpy(&v, from, sizeof(v));
	return le16toh(v);
}

uint32_t pci_config_get32(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return le32toh(v);
}

void pci_config_put16(uint8_t *to, uint16_t v)
{
	v = htole16(v);
	memcpy(to, &v, sizeof(v));
}

void pci_config_put32(uint8_t *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof(v));
}

#define ACCESS_BITS (TRN_PCI_COMMAND_IO | TRN_PCI_COMMAND_MEMORY | TRN_PCI_COMMAND_MASTER)

static bool is_asleep(const struct pci_config *c)
{
	return c->pm && (c->bytes[c->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK);
}

static uint16_t active_command(const struct pci_config *c)
{
	uint16_t command = pci_config_get16(c->bytes + PCI_COMMAND);

	return is_asleep(c) ? command & ~ACCESS_BITS : command;
}

bool pci_config_memory_is_on(const struct trn_pci *pci)
{
	return pci->config.active & TRN_PCI_COMMAND_MEMORY;
}

bool pci_config_io_is_on(const struct trn_pci *pci)
{
	return pci->config.active & TRN_PCI_COMMAND_IO;
}

bool pci_config_master_is_on(const struct trn_pci *pci)
{
	return pci->config.active & TRN_PCI_COMMAND_MASTER;
}

bool pci_config_intx_is_on(const struct trn_pci *pci)
{
	return !(pci->config.active & TRN_PCI_COMMAND_INTX_DISABLE) && !is_asleep(&pci->config);
}

void pci_config_update(struct trn_pci *pci)
{
	uint16_t before = pci->config.active;
	uint16_t changed;

	pci->config.active = active_command(&pci->config);
	changed = before ^ pci->config.active;
	/* Also when it goes on: what is mapped meanwhile are pages of ones. */
	if (changed & TRN_PCI_COMMAND_MEMORY)
		pci_mappings_zap(pci);
	pci_irqs_update(pci);
	if (changed & ACCESS_BITS && pci->ops->enabled)
		pci->ops->enabled(pci);
}

void pci_config_seal(struct trn_pci *pci)
{
	struct pci_config *c = &pci->config;

	memcpy(c->initial, c->bytes, sizeof(c->initial));
	c->active = active_command(c);
}

void pci_config_reset(struct trn_pci *pci)
{
	struct pci_config *c = &pci->config;

	memcpy(c->bytes, c->initial, sizeof(c->bytes));
	c->active = active_command(c);
	pci_mappings_zap(pci);
}

void pci_config_read(struct trn_pci *pci, unsigned int offset, void *buf, size_t len)
{
	memcpy(buf, pci->config.bytes + offset, len);
	/* The only bit that no write changes and that moves all the same. */
	if (pci->irqs.intx.level && offset <= PCI_STATUS && len > PCI_STATUS - offset)
		((uint8_t *)buf)[PCI_STATUS - offset] |= PCI_STATUS_INTERRUPT;
}

static const struct pci_config_part *part_at(const struct pci_config *c, unsigned int offset)
{
	for (unsigned int i = 0; i < c->nr_parts; i++)
		if (offset >= c->parts[i].start && offset - c->parts[i].start < c->parts[i].len)
			return &c->parts[i];
	return NULL;
}

/* The piece may begin in the header and end behind the part; a driver hears of its own data alone. */
static void tell_driver(struct trn_pci *pci, const struct pci_config_part *part, unsigned int offset, unsigned int len)
{
	unsigned int start = part->start + part->header_len, behind = part->start + part->len;
	unsigned int first = offset < start ? start : offset, end = offset + len < behind ? offset + len : behind;

	if (first < end)
		part->driver_written(pci, first - start, end - first);
}

/* A piece inside one aligned word of 4 bytes, and so in one part: parts begin at such words. */
static void write_piece(struct trn_pci *pci, unsigned int offset, const uint8_t *buf, unsigned int len)
{
	struct pci_config *c = &pci->config;
	const struct pci_config_part *part = part_at(c, offset);
	uint8_t before[4];
	uint8_t may_change = 0;

	memcpy(before, c->bytes + offset, len);
	for (unsigned int i = 0; i < len; i++) {
		uint8_t mask = c->writable[offset + i];

		c->bytes[offset + i] = (before[i] & ~mask) | (buf[i] & mask);
		may_change |= mask;
	}
	if (!may_change || !part)
		return;
	if (part->written)
		part->written(pci, part, offset - part->start, len, before);
	if (part->driver_written)
		tell_driver(pci, part, offset, len);
}

void pci_config_write(struct trn_pci *pci, unsigned int offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	while (len) {
		unsigned int piece = 4 - offset % 4;

		if (piece > len)
			piece = (unsigned int)len;
		write_piece(pci, offset, from, piece);
		offset += piece;
		from += piece;
		len -= piece;
	}
}

int trn_pci_config_read(struct trn_pci *pci, unsigned int offset, void *buf, size_t len)
{
	if (!base_range_is_within(offset, len, pci->config.size))
		return -EINVAL;
	trn_pci_lock(pci);
	pci_config_read(pci, offset, buf, len);
	trn_pci_unlock(pci);
	return 0;
}

int trn_pci_config_set(struct trn_pci *pci, unsigned int offset, const void *buf, size_t len)
{
	if (!base_range_is_within(offset, len, pci->config.size))
		return -EINVAL;
	trn_pci_lock(pci);
	memcpy(pci->config.bytes + offset, buf, len);
	trn_pci_unlock(pci);
	return 0;
}

uint16_t trn_pci_command(struct trn_pci *pci)
{
	uint16_t command;

	trn_pci_lock(pci);
	command = pci->config.active;
	trn_pci_unlock(pci);
	return command;
}
