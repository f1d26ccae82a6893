/* SPDX-License-Identifier: MIT */
/* Copies of the screen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parents/bochs/priv.h"

/* Five or six bits of a colour as eight, so that all ones are 255. */
static uint8_t widen(unsigned int v, unsigned int bits)
{
	v &= (1u << bits) - 1;
	return (uint8_t)(v << (8 - bits) | v >> (2 * bits - 8));
}

static void copy_row(uint8_t *out, const uint8_t *in, const struct bochs_mode *mode)
{
	unsigned int green = mode->depth == 16 ? 6 : 5;

	for (uint32_t x = 0; x < mode->width; x++, in += mode->bytes, out += 3) {
		unsigned int v = in[0] | in[1] << 8;

		if (mode->depth >= 24) { /* blue, green, red, and what nobody looks at */
			out[0] = in[2];
			out[1] = in[1];
			out[2] = in[0];
		} else {
			out[0] = widen(v >> (5 + green), 5);
			out[1] = widen(v >> 5, green);
			out[2] = widen(v, 5);
		}
	}
}

/* The lock is held for the registers alone: the memory stays while the device does, and the guest writes to it anyway. */
int bochs_picture_take(struct trn_pci *pci, struct bochs_picture **ret, struct trn_error *err)
{
	const uint8_t *memory = trn_pci_ram(pci, BOCHS_BAR_MEMORY);
	struct bochs_picture *picture;
	struct bochs_mode mode;
	int r;

	trn_pci_lock(pci);
	r = bochs_dispi_mode(trn_pci_priv(pci), &mode, err);
	trn_pci_unlock(pci);
	if (r < 0)
		return r;
	/* The mode lies in at most 64 MiB: no overflow. */
	picture = malloc(sizeof(*picture) + (size_t)mode.width * mode.height * 3);
	if (!picture)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a picture of %ux%u", mode.width, mode.height);
	picture->width = mode.width;
	picture->height = mode.height;
	for (uint32_t y = 0; y < mode.height; y++)
		copy_row(picture->pixels + (size_t)y * mode.width * 3, memory + mode.start + y * mode.stride, &mode);
	*ret = picture;
	return 0;
}

static bool is_row_changed(const struct bochs_picture *before, const struct bochs_picture *now, size_t y)
{
	size_t len = (size_t)now->width * 3;

	return !before || memcmp(before->pixels + y * len, now->pixels + y * len, len) != 0;
}

size_t bochs_picture_changes(const struct bochs_picture *before, const struct bochs_picture *now, struct trn_span *ret, size_t max)
{
	struct trn_span span = { 0 };
	size_t nr = 0;

	if (before && (before->width != now->width || before->height != now->height))
		before = NULL;
	for (size_t y = 0; y <= now->height; y++) {
		if (y < now->height && is_row_changed(before, now, y)) {
			if (!span.len++)
				span.start = y;
		} else if (span.len) {
			if (nr < max)
				ret[nr] = span;
			nr++;
			span.len = 0;
		}
	}
	return nr;
}

int bochs_screen_png(struct trn_pci *pci, void **ret, size_t *ret_len, struct trn_error *err)
{
	struct bochs_picture *picture;
	int r;

	r = bochs_picture_take(pci, &picture, err);
	if (r < 0)
		return r;
	r = bochs_picture_png(picture, ret, ret_len, err);
	free(picture);
	return r;
}
