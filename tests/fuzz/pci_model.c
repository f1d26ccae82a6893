/* SPDX-License-Identifier: MIT */
#include "pci_model.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#define ACCESS_BITS (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

void model_mask16(struct model *m, unsigned int at, uint16_t mask)
{
	m->mask[at] = (uint8_t)mask;
	m->mask[at + 1] = (uint8_t)(mask >> 8);
}

void model_mask32(struct model *m, unsigned int at, uint32_t mask)
{
	model_mask16(m, at, (uint16_t)mask);
	model_mask16(m, at + 2, (uint16_t)(mask >> 16));
}

void model_reset(struct model *m)
{
	memcpy(m->bytes, m->initial, m->size);
	m->level = false;
	for (unsigned int i = 0; i < MODEL_NR_REGIONS; i++)
		if (!m->regions[i].is_read_only && m->regions[i].content_end) {
			memset(m->regions[i].content, 0, m->regions[i].content_end);
			m->regions[i].content_end = 0;
		}
	memset(m->msix.table, 0, 16 * (size_t)m->msix.nr_vectors);
	for (unsigned int i = 0; i < m->msix.nr_vectors; i++)
		m->msix.table[16 * i + 12] = 1;
}

uint8_t model_config_byte(const struct model *m, size_t at)
{
	return m->bytes[at] | (at == PCI_STATUS && m->level ? PCI_STATUS_INTERRUPT : 0);
}

static bool is_asleep(const struct model *m)
{
	return m->pm && m->bytes[m->pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;
}

uint16_t model_command(const struct model *m)
{
	uint16_t command = (uint16_t)(m->bytes[PCI_COMMAND] | m->bytes[PCI_COMMAND + 1] << 8);

	return is_asleep(m) ? command & ~ACCESS_BITS : command;
}

/* What registers do not take although their bits can be written. */
static void settle(struct model *m, const uint8_t before[4], unsigned int word)
{
	if (m->pm && word == m->pm + PCI_PM_CTRL) {
		uint8_t *state = &m->bytes[word];

		if ((*state & 3) == 1 || (*state & 3) == 2)
			*state = (*state & ~3) | (before[0] & 3);
	}
	if (m->msi && word == m->msi) {
		uint8_t *flags = &m->bytes[m->msi + PCI_MSI_FLAGS], most = *flags >> 1 & 7;

		if ((*flags >> 4 & 7) > most)
			*flags = (uint8_t)((*flags & ~0x70) | most << 4);
	}
}

static void write_piece(struct model *m, unsigned int offset, const uint8_t *bytes, size_t len)
{
	unsigned int word = offset & ~3u;
	uint8_t before[4];

	memcpy(before, m->bytes + word, sizeof(before));
	for (size_t i = 0; i < len; i++)
		m->bytes[offset + i] = (m->bytes[offset + i] & ~m->mask[offset + i]) | (bytes[i] & m->mask[offset + i]);
	settle(m, before, word);
	if (m->express && m->bytes[m->express + PCI_EXP_DEVCTL + 1] & PCI_EXP_DEVCTL_BCR_FLR >> 8)
		model_reset(m);
}

void model_config_write(struct model *m, unsigned int offset, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t piece = 4 - offset % 4 < len ? 4 - offset % 4 : len;

		write_piece(m, offset, bytes, piece);
		offset += (unsigned int)piece;
		bytes += piece;
		len -= piece;
	}
}

int model_access_result(const struct model *m, unsigned int index, uint64_t offset, size_t len, bool is_write)
{
	const struct model_region *region = &m->regions[index];
	uint16_t needed = region->is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

	if (!region->size || offset > region->size || len > region->size - offset)
		return -EINVAL;
	if (is_write && region->is_read_only)
		return -EACCES;
	return index > 6 || model_command(m) & needed ? 0 : -EIO;
}

static bool is_within(uint64_t at, uint64_t start, uint64_t len)
{
	return at >= start && at - start < len;
}

static bool is_in_table(const struct model *m, unsigned int index, uint64_t at)
{
	return m->msix.nr_vectors && index == m->msix.bar && is_within(at, m->msix.table_offset, 16ull * m->msix.nr_vectors);
}

static bool is_in_pba(const struct model *m, unsigned int index, uint64_t at)
{
	return m->msix.nr_vectors && index == m->msix.bar &&
	       is_within(at, m->msix.pba_offset, (m->msix.nr_vectors + 63ull) / 64 * 8);
}

static uint8_t table_mask(uint64_t at)
{
	static const uint8_t masks[16] = { 0xfc, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 };

	return masks[at % 16];
}

void model_region_write(struct model *m, unsigned int index, uint64_t offset, const uint8_t *bytes, size_t len)
{
	struct model_region *region = &m->regions[index];

	for (size_t i = 0; i < len; i++) {
		uint64_t at = offset + i;

		if (is_in_table(m, index, at)) {
			at -= m->msix.table_offset;
			m->msix.table[at] = bytes[i] & table_mask(at);
		} else if (!is_in_pba(m, index, at) && at < region->content_size) {
			region->content[at] = bytes[i];
			region->content_end = at >= region->content_end ? at + 1 : region->content_end;
		}
	}
}

/* Of the pending bits this much is known: there are as many as vectors. */
static uint8_t pba_mask(const struct model *m, uint64_t at)
{
	uint64_t first = 8 * (at - m->msix.pba_offset);

	if (first >= m->msix.nr_vectors)
		return 0xff;
	return m->msix.nr_vectors - first >= 8 ? 0 : (uint8_t)(0xff << (m->msix.nr_vectors - first));
}

uint8_t model_region_byte(const struct model *m, unsigned int index, uint64_t at, uint8_t *ret_mask)
{
	*ret_mask = 0xff;
	if (is_in_table(m, index, at))
		return m->msix.table[at - m->msix.table_offset];
	if (is_in_pba(m, index, at)) {
		*ret_mask = pba_mask(m, at);
		return 0;
	}
	return at < m->regions[index].content_size ? m->regions[index].content[at] : 0;
}
