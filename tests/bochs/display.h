/* SPDX-License-Identifier: MIT */
/* One display with its core and its holder, and its registers as a driver reaches them. */
#ifndef DISPLAY_H
#define DISPLAY_H

#include "parents/bochs/bochs.h"

#define REGION_MEMORY 0
#define REGION_MMIO 2
#define REGION_CONFIG 7
#define REGION_EDID 9

/* Numbers of the Bochs VBE extension. */
enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };

struct display {
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_use *use;
	struct trn_pci *pci;
	uint8_t *memory; /* BAR0, mapped as a VMM maps it */
	uint64_t memory_size;
};

/* Makes and opens a display with memory decoding on; fails the test otherwise. */
void display_open(struct display *d, const char *type, const struct bochs_config *config);
void display_close(struct display *d);

uint16_t display_read(struct display *d, unsigned int reg);
void display_write(struct display *d, unsigned int reg, uint16_t value);
/* As bochs-drm does it. */
void display_set_mode(struct display *d, uint16_t x, uint16_t y, uint16_t bpp);

#endif
