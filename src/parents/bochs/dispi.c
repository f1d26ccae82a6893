/* SPDX-License-Identifier: MIT */
/*
 * Modes are checked when they are made: a value that no mode of this display can have leaves a register as it was, and a
 * mode that does not fit leaves the display off.  Offsets are not: drivers write X and Y one after the other, so that
 * what lies between may well be outside.
 */
#include <errno.h>

#include "parents/bochs/priv.h"

#define DISPI_ID 0xb0c5u

#define ENABLE_ON 0x01u
#define ENABLE_GETCAPS 0x02u /* reads of XRES, YRES and BPP give the limits */
#define ENABLE_KNOWN 0xe3u   /* also 8-bit DAC, linear frame buffer (it always is), keep memory (it always does) */

static unsigned int bytes_of(unsigned int bpp)
{
	switch (bpp) {
	case 15:
	case 16:
		return 2;
	case 24:
		return 3;
	case 32:
		return 4;
	default:
		return 0; /* no palettes, no planes */
	}
}

static uint16_t limit(uint16_t max)
{
	return max ? max : UINT16_MAX;
}

static bool is_on(const uint16_t *regs)
{
	return regs[BOCHS_ENABLE] & ENABLE_ON;
}

/* Bytes from the first visible pixel to the last; all factors have at most 16 bits. */
static uint64_t extent(const uint16_t *regs, uint16_t virt_width)
{
	uint64_t bytes = bytes_of(regs[BOCHS_BPP]);

	return ((uint64_t)virt_width * (regs[BOCHS_YRES] - 1u) + regs[BOCHS_XRES]) * bytes;
}

static bool fits(const struct bochs_model *model, const uint16_t *regs, uint16_t virt_width)
{
	return regs[BOCHS_XRES] && regs[BOCHS_YRES] && bytes_of(regs[BOCHS_BPP]) && virt_width >= regs[BOCHS_XRES] &&
	       extent(regs, virt_width) <= model->memory;
}

static uint16_t virt_height(const struct bochs *b)
{
	uint64_t stride = (uint64_t)b->regs[BOCHS_VIRT_WIDTH] * bytes_of(b->regs[BOCHS_BPP]);
	uint64_t rows = stride ? b->model->memory / stride : 0;

	return rows < UINT16_MAX ? (uint16_t)rows : UINT16_MAX;
}

uint16_t bochs_dispi_read(const struct bochs *b, unsigned int reg)
{
	bool caps = b->regs[BOCHS_ENABLE] & ENABLE_GETCAPS;

	switch (reg) {
	case BOCHS_ID:
		return DISPI_ID;
	case BOCHS_XRES:
		return caps ? limit(b->model->max_x) : b->regs[reg];
	case BOCHS_YRES:
		return caps ? limit(b->model->max_y) : b->regs[reg];
	case BOCHS_BPP:
		return caps ? 32 : b->regs[reg];
	case BOCHS_VIRT_HEIGHT:
		return virt_height(b);
	case BOCHS_MEMORY_64K:
		return (uint16_t)(b->model->memory >> 16);
	default:
		return reg < BOCHS_NR_REGS ? b->regs[reg] : 0;
	}
}

/*
 * The memory keeps what it holds: drivers with buffers in it (bochs-drm) draw first and turn the display on afterwards,
 * as QEMU's device lets them.
 */
static void write_enable(struct bochs *b, uint16_t value)
{
	uint16_t *regs = b->regs;

	value &= ENABLE_KNOWN;
	if ((value & ENABLE_ON) && !is_on(regs)) {
		if (!fits(b->model, regs, regs[BOCHS_VIRT_WIDTH]))
			regs[BOCHS_VIRT_WIDTH] = regs[BOCHS_XRES];
		if (!fits(b->model, regs, regs[BOCHS_VIRT_WIDTH]))
			value &= (uint16_t)~ENABLE_ON;
	}
	regs[BOCHS_ENABLE] = value;
}

void bochs_dispi_write(struct bochs *b, unsigned int reg, uint16_t value)
{
	uint16_t *regs = b->regs;
	bool ok;

	switch (reg) {
	case BOCHS_XRES:
		ok = !is_on(regs) && value && value <= limit(b->model->max_x);
		break;
	case BOCHS_YRES:
		ok = !is_on(regs) && value && value <= limit(b->model->max_y);
		break;
	case BOCHS_BPP:
		ok = !is_on(regs) && bytes_of(value);
		break;
	case BOCHS_VIRT_WIDTH:
		/* While it is off, what it must fit to is still to come. */
		ok = !is_on(regs) || fits(b->model, regs, value);
		break;
	case BOCHS_X_OFFSET:
	case BOCHS_Y_OFFSET:
		ok = true;
		break;
	case BOCHS_ENABLE:
		write_enable(b, value);
		return;
	default: /* read-only, or banks, of which there is one */
		return;
	}
	if (ok)
		regs[reg] = value;
}

int bochs_dispi_mode(const struct bochs *b, struct bochs_mode *ret, struct trn_error *err)
{
	const uint16_t *regs = b->regs;
	uint64_t bytes = bytes_of(regs[BOCHS_BPP]), stride = regs[BOCHS_VIRT_WIDTH] * bytes;
	uint64_t start = regs[BOCHS_Y_OFFSET] * stride + regs[BOCHS_X_OFFSET] * bytes;

	if (!is_on(regs)) {
		trn_error_set(err, -ENODATA, "ScreenOff", "the guest has not turned the screen on");
		trn_error_hint(err, "try again when the guest's driver (bochs-drm) has set a mode");
		return -ENODATA;
	}
	/* The extent is at most the memory, the start at most 48 bits: no overflow. */
	if (start + extent(regs, regs[BOCHS_VIRT_WIDTH]) > b->model->memory) {
		trn_error_set(err, -ENODATA, "ScreenOutside", "the guest shows pixels from offset %llu on, which is %s its %llu bytes",
			      (unsigned long long)start, start < b->model->memory ? "too near the end of" : "outside of",
			      (unsigned long long)b->model->memory);
		trn_error_hint(err, "try again: a driver that moves its screen may have been half-way");
		return -ENODATA;
	}
	*ret = (struct bochs_mode){
		.width = regs[BOCHS_XRES],
		.height = regs[BOCHS_YRES],
		.depth = regs[BOCHS_BPP],
		.bytes = (uint32_t)bytes,
		.start = start,
		.stride = stride,
	};
	return 0;
}

bool bochs_dispi_is_possible(const struct bochs_model *model, const uint16_t regs[BOCHS_NR_REGS])
{
	if (regs[BOCHS_XRES] > limit(model->max_x) || regs[BOCHS_YRES] > limit(model->max_y))
		return false;
	if (regs[BOCHS_BPP] && !bytes_of(regs[BOCHS_BPP]))
		return false;
	if (regs[BOCHS_ID] || regs[BOCHS_BANK] || regs[BOCHS_VIRT_HEIGHT] || regs[BOCHS_MEMORY_64K])
		return false;
	if (regs[BOCHS_ENABLE] & ~ENABLE_KNOWN)
		return false;
	return !is_on(regs) || fits(model, regs, regs[BOCHS_VIRT_WIDTH]);
}
