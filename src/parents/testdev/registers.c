/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "parents/testdev/priv.h"

static uint32_t *stored(struct testdev *t, unsigned int reg)
{
	return &t->state.written[reg / 4];
}

static uint32_t read_register(struct testdev *t, unsigned int reg)
{
	struct testdev_state *s = &t->state;

	switch (reg) {
	case REG_ID:
		return 'T' | 'S' << 8 | 'T' << 16 | 'D' << 24;
	case REG_COUNTER:
		return s->counter;
	case REG_FIRE:
		return s->fire_result;
	case REG_INTX:
		return s->intx;
	case REG_RESETS:
		return t->nr_resets;
	case REG_LAST:
		return s->last;
	case REG_SCRATCH:
	case REG_DMA_ADDR_LOW:
	case REG_DMA_ADDR_HIGH:
	case REG_DMA_LEN:
	case REG_DMA_OFFSET:
	case REG_DMA_CMD:
		return *stored(t, reg);
	case REG_DMA_STATUS:
		return s->dma_status;
	case REG_RINGS:
		testdev_doorbells_look(t);
		return (s->rings[0] & 0xffff) | s->rings[1] << 16;
	default:
		return 0;
	}
}

/* All four bytes are there. */
static void act(struct testdev *t, unsigned int reg)
{
	struct testdev_state *s = &t->state;
	uint32_t value = *stored(t, reg);

	if (reg >= REG_SCRATCH && reg <= REG_ERROR)
		s->last = value;
	switch (reg) {
	case REG_COUNTER:
		s->counter++;
		break;
	case REG_FIRE:
		s->fire_result = t->is_full ? (uint32_t)trn_pci_fire(t->pci, value) : (uint32_t)-EINVAL;
		break;
	case REG_INTX:
		s->intx = value & 1;
		if (t->is_full)
			trn_pci_set_intx(t->pci, s->intx);
		break;
	case REG_ERROR:
		if (t->is_full)
			trn_pci_signal_error(t->pci);
		break;
	case REG_DMA_CMD:
		testdev_dma_start(t, value);
		break;
	default:
		break;
	}
}

static void read_bytes(struct testdev *t, unsigned int offset, uint8_t *buf, size_t len)
{
	uint32_t value = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned int at = offset + (unsigned int)i;

		if (at >= TESTDEV_STORAGE) {
			buf[i] = at < TESTDEV_STORAGE + TESTDEV_STORAGE_SIZE ? t->state.storage[at - TESTDEV_STORAGE] : 0;
			continue;
		}
		if (i == 0 || at % 4 == 0)
			value = read_register(t, at & ~3u);
		buf[i] = (uint8_t)(value >> at % 4 * 8);
	}
}

static void write_byte(struct testdev *t, unsigned int at, uint8_t value)
{
	unsigned int shift = at % 4 * 8, reg = at & ~3u;

	if (at >= TESTDEV_STORAGE + TESTDEV_STORAGE_SIZE)
		return;
	if (at >= TESTDEV_STORAGE) {
		t->state.storage[at - TESTDEV_STORAGE] = value;
		return;
	}
	if (reg / 4 >= TESTDEV_NR_REGISTERS)
		return;
	*stored(t, reg) = (*stored(t, reg) & ~(0xffu << shift)) | (uint32_t)value << shift;
	if (at % 4 == 3)
		act(t, reg);
}

int testdev_bar0_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct testdev *t = trn_pci_priv(pci);
	unsigned int at = (unsigned int)offset;
	uint8_t *bytes = buf;

	if (offset < REG_REJECT + 4 && offset + len > REG_REJECT)
		return -EPERM;
	if (!is_write) {
		read_bytes(t, at, bytes, len);
		return 0;
	}
	for (size_t i = 0; i < len; i++)
		write_byte(t, at + (unsigned int)i, bytes[i]);
	return 0;
}
