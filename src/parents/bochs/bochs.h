/* SPDX-License-Identifier: MIT */
/*
 * The display that QEMU calls bochs-display (1234:1111): BAR0 is its memory, BAR2 has the registers, region 9 is VFIO's
 * EDID region.  No interrupts, no capabilities.
 *
 * Types, out of a pool of 256 MiB (TRN_RESOURCE_MEMORY): bochs-small (4 MiB, at most 800x600), bochs-medium (16 MiB,
 * 1920x1440), bochs-large (64 MiB, what the memory holds).
 */
#ifndef PARENTS_BOCHS_H
#define PARENTS_BOCHS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tranche/device.h"
#include "tranche/mdev.h"
#include "tranche/pci.h"

/*
 * screen_path: a Unix stream socket (mode 0600) that a device of the parent makes when it is created and removes when it is
 * released; NULL: none.  Each connection gets one PNG of the screen and end of file; when there is no picture, a line of text that
 * says why, which does not begin as a PNG does.  It is served by a thread of the device's own, which sleeps otherwise.  The path
 * is one device's: another device of the same parent is refused with -EADDRINUSE.
 */
struct bochs_config {
	const char *screen_path;
};

/* Registers a parent; config (copied) may be NULL. The results are those of trn_parent_register(). */
int bochs_parent_register(struct trn_core *core, const char *name, const struct bochs_config *config, struct trn_parent **ret,
			  struct trn_error *err);

/* A copy of what a screen shows: rows without gaps, from the top, three bytes (red, green, blue) a pixel. */
struct bochs_picture {
	uint32_t width; /* in pixels, > 0 */
	uint32_t height;
	uint8_t pixels[]; /* height * width * 3 bytes */
};

/*
 * Copies the visible screen. The caller has a reference to the device; the guest may go on drawing meanwhile, and does not wait.
 * On success *ret is the caller's, for free(). Any thread.
 * Return: 0, -ENODATA (the guest has not turned the screen on, or shows what is outside of the memory), -ENOMEM.
 */
int bochs_picture_take(struct trn_pci *pci, struct bochs_picture **ret, struct trn_error *err);

/*
 * Which rows of now are different from before (NULL, or of another size: all are): fills at most max of ret with spans of rows in
 * rising order that do not touch. Return: how many there are.
 */
size_t bochs_picture_changes(const struct bochs_picture *before, const struct bochs_picture *now, struct trn_span *ret, size_t max);

/*
 * Encodes a picture. On success *ret (*ret_len bytes) is the caller's, for free().
 * Return: 0, -EOPNOTSUPP (built without libpng), -EFBIG, -ENOMEM, -EIO (libpng says why).
 */
int bochs_picture_png(const struct bochs_picture *picture, void **ret, size_t *ret_len, struct trn_error *err);

/* The screen as it is now, as PNG: both of the above. */
int bochs_screen_png(struct trn_pci *pci, void **ret, size_t *ret_len, struct trn_error *err);

#endif
