/* SPDX-License-Identifier: MIT */
/*
 * A display's own state.  Everything in struct bochs is read and written under the device's lock, except what is marked
 * [const], which is fixed by init; the memory of BAR0 has no lock: the guest draws whenever it likes.
 */
#ifndef PARENTS_BOCHS_PRIV_H
#define PARENTS_BOCHS_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "parents/bochs/bochs.h"

#define BOCHS_BAR_MEMORY 0u
#define BOCHS_BAR_MMIO 2u
#define BOCHS_MMIO_SIZE 4096u

/* What makes a type. */
struct bochs_model {
	const char *name;
	const char *pretty_name;
	uint64_t memory; /* in bytes */
	uint16_t max_x, max_y; /* of a mode; 0: what the memory holds */
	uint16_t best_x, best_y; /* what the monitor asks for */
};

/* Indices of the 16-bit registers, those of the Bochs VBE extension. */
enum bochs_reg {
	BOCHS_ID,
	BOCHS_XRES,
	BOCHS_YRES,
	BOCHS_BPP,
	BOCHS_ENABLE,
	BOCHS_BANK,
	BOCHS_VIRT_WIDTH,
	BOCHS_VIRT_HEIGHT,
	BOCHS_X_OFFSET,
	BOCHS_Y_OFFSET,
	BOCHS_MEMORY_64K,
	BOCHS_NR_REGS
};

/* The monitor: not part of the card, so resets do not touch it. */
#define BOCHS_EDID_MAX 1024u
struct bochs_monitor {
	uint32_t link; /* VFIO_DEVICE_GFX_LINK_STATE_* */
	uint32_t edid_size; /* at most BOCHS_EDID_MAX */
	uint8_t edid[BOCHS_EDID_MAX];
};

struct bochs {
	struct trn_pci *pci; /* [const] */
	const struct bochs_model *model; /* [const] */
	struct bochs_screen *screen; /* [const] NULL: no socket */
	uint16_t regs[BOCHS_NR_REGS]; /* 0 where reads are computed */
	struct bochs_monitor monitor;
};

/* --- dispi.c: the registers that make the mode --- */

/* A mode that lies in the memory. */
struct bochs_mode {
	uint32_t width, height; /* > 0 */
	uint32_t depth; /* 15, 16, 24 or 32 bits */
	uint32_t bytes; /* a pixel */
	uint64_t start, stride; /* in bytes */
};

uint16_t bochs_dispi_read(const struct bochs *b, unsigned int reg);
void bochs_dispi_write(struct bochs *b, unsigned int reg, uint16_t value);
/* What is visible now. Return: 0 or -ENODATA with a sentence. */
int bochs_dispi_mode(const struct bochs *b, struct bochs_mode *ret, struct trn_error *err);
/* Could the registers of a display of that model ever be these? */
bool bochs_dispi_is_possible(const struct bochs_model *model, const uint16_t regs[BOCHS_NR_REGS]);

/* --- mmio.c, edid.c: what a guest and its VMM reach --- */

int bochs_mmio_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);

#define BOCHS_EDID_REGION_SIZE 2048u
/* VFIO's EDID region: header, and the EDID from 1024 on. */
int bochs_edid_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write);
/* The monitor that a display comes with. */
void bochs_edid_init(struct bochs *b);

/* --- state.c: migration --- */

extern const struct trn_pci_migration bochs_migration;

/* --- screen.c: the socket --- */

struct bochs_screen;
int bochs_screen_start(struct trn_pci *pci, const char *path, struct bochs_screen **ret, struct trn_error *err);
/* NULL is accepted. Waits for the thread, which does not wait for its clients then. */
void bochs_screen_stop(struct bochs_screen *screen);

#endif
