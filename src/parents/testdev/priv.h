/* SPDX-License-Identifier: MIT */
/* Inside the test device.  Everything is protected by the device's lock (trn_pci_lock()). */
#ifndef TESTDEV_PRIV_H
#define TESTDEV_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "tranche/pci.h"

#define TESTDEV_BAR0_SIZE 4096u
#define TESTDEV_IO_SIZE 32u
#ifndef TESTDEV_RAM_SIZE /* fuzz targets take less */
#define TESTDEV_RAM_SIZE (1u << 20)
#endif
#define TESTDEV_BAR4_SIZE (16u << 10)
#define TESTDEV_NR_REGISTERS 20u /* 0x00 to 0x4c */
#define TESTDEV_STORAGE 0x80u
#define TESTDEV_STORAGE_SIZE 128u
#define TESTDEV_NR_DOORBELLS 2u

/* Registers of BAR0. */
enum {
	REG_ID = 0x00,
	REG_SCRATCH = 0x04,
	REG_COUNTER = 0x08,
	REG_FIRE = 0x0c,
	REG_INTX = 0x10,
	REG_ERROR = 0x14,
	REG_RESETS = 0x18,
	REG_LAST = 0x1c,
	REG_DMA_ADDR_LOW = 0x20,
	REG_DMA_ADDR_HIGH = 0x24,
	REG_DMA_LEN = 0x28,
	REG_DMA_OFFSET = 0x2c,
	REG_DMA_CMD = 0x30,
	REG_DMA_STATUS = 0x34,
	REG_DOORBELL = 0x40,
	REG_DOORBELL2 = 0x44,
	REG_RINGS = 0x48,
	REG_REJECT = 0x4c,
};

/* What is migrated, in this very form. */
struct testdev_state {
	uint32_t written[TESTDEV_NR_REGISTERS]; /* by register: the bytes that a guest has stored */
	uint32_t counter;
	uint32_t fire_result; /* 0 or a negative errno */
	uint32_t intx; /* 0 or 1 */
	uint32_t last;
	uint32_t dma_status;
	uint32_t rings[TESTDEV_NR_DOORBELLS];
	uint8_t storage[TESTDEV_STORAGE_SIZE];
	uint8_t io[TESTDEV_IO_SIZE];
};
_Static_assert(sizeof(struct testdev_state) == 4 * (TESTDEV_NR_REGISTERS + 7) + TESTDEV_STORAGE_SIZE + TESTDEV_IO_SIZE,
	       "no padding in what is migrated");

struct testdev_dma {
	struct trn_dma_request request;
	bool is_busy; /* request is the holder's */
	bool is_forgotten; /* its end is nobody's any more */
};

struct testdev {
	struct trn_pci *pci;
	bool is_full;
	uint32_t nr_resets;
	unsigned int vendor_cap; /* offset in configuration space */
	struct testdev_state state;
	struct testdev_dma dma;
	int doorbells[TESTDEV_NR_DOORBELLS]; /* eventfds; -1: none */
};

/* device.c */
int testdev_init(struct trn_device *dev, bool is_full, struct trn_error *err);
void testdev_release(struct trn_device *dev);

/* registers.c */
int testdev_bar0_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);

/* dma.c: begins what DMA_CMD says. */
void testdev_dma_start(struct testdev *t, uint32_t command);
/* What is under way ends with nothing but that status; what it still brings is dropped. */
void testdev_dma_forget(struct testdev *t, uint32_t status);

/* doorbells.c */
int testdev_doorbells_init(struct testdev *t, struct trn_error *err);
void testdev_doorbells_finish(struct testdev *t);
/* Adds what was signalled since the last look to state.rings. */
void testdev_doorbells_look(struct testdev *t);

/* state.c */
void testdev_reset(struct trn_pci *pci);
extern const struct trn_pci_migration testdev_migration;

#endif
