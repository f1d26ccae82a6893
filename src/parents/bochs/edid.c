/* SPDX-License-Identifier: MIT */
/*
 * The monitor: an EDID 1.4 block of one's own, and VFIO's region through which a VMM gives another.
 * Sources: VESA E-EDID Standard A.2 (offsets below), VESA DMT 1.13 (timings), struct vfio_region_gfx_edid.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "parents/bochs/priv.h"

#define BLOCK 128u
#define BLOB_OFFSET 1024u

/* A mode with the standard's times for it: sync starts front pixels (lines) after the picture and ends with the blank. */
struct timing {
	uint16_t x, y;
	uint16_t clock; /* in 10 kHz */
	uint16_t x_blank, x_front, x_sync;
	uint16_t y_blank, y_front, y_sync;
	uint8_t flags; /* polarities of the syncs */
};

#define SYNC_DIGITAL 0x18u
#define SYNC_H 0x02u
#define SYNC_V 0x04u

static const struct timing timings[] = {
	{ 800, 600, 4000, 256, 40, 128, 28, 1, 4, SYNC_DIGITAL | SYNC_H | SYNC_V },
	{ 1024, 768, 6500, 320, 24, 136, 38, 3, 6, SYNC_DIGITAL },
	{ 1920, 1080, 14850, 280, 88, 44, 45, 4, 5, SYNC_DIGITAL | SYNC_H | SYNC_V },
	{ 2560, 1440, 24150, 160, 48, 32, 41, 3, 5, SYNC_DIGITAL | SYNC_H },
	{ 3840, 2160, 59400, 560, 176, 88, 90, 8, 10, SYNC_DIGITAL | SYNC_H | SYNC_V },
};

/* Modes at 60 Hz that standard timings can name: the aspect is 0 16:10, 1 4:3, 2 5:4, 3 16:9. */
static const struct {
	uint16_t x, y;
	uint8_t aspect;
} standard[] = {
	{ 1280, 720, 3 }, { 1280, 800, 0 }, { 1280, 1024, 2 }, { 1440, 900, 0 },
	{ 1600, 1200, 1 }, { 1680, 1050, 0 }, { 1920, 1080, 3 }, { 1920, 1440, 1 },
};

static bool fits(const struct bochs_model *m, uint32_t x, uint32_t y)
{
	return (!m->max_x || x <= m->max_x) && (!m->max_y || y <= m->max_y) && (uint64_t)x * y * 4 <= m->memory;
}

/* The monitor's size: 96 dots an inch in its best mode, which desktops take for a scale of 100 %. */
static unsigned int mm_of(uint16_t pixels)
{
	return pixels * 254u / 960u;
}

/* 3.10.2: 12-bit numbers lie in a byte and half of another. */
static void put_detailed(uint8_t out[18], const struct timing *t, const struct bochs_model *m)
{
	unsigned int x_mm = mm_of(m->best_x), y_mm = mm_of(m->best_y);

	out[0] = (uint8_t)t->clock;
	out[1] = (uint8_t)(t->clock >> 8);
	out[2] = (uint8_t)t->x;
	out[3] = (uint8_t)t->x_blank;
	out[4] = (uint8_t)((t->x >> 8) << 4 | t->x_blank >> 8);
	out[5] = (uint8_t)t->y;
	out[6] = (uint8_t)t->y_blank;
	out[7] = (uint8_t)((t->y >> 8) << 4 | t->y_blank >> 8);
	out[8] = (uint8_t)t->x_front;
	out[9] = (uint8_t)t->x_sync;
	out[10] = (uint8_t)((t->y_front & 15) << 4 | (t->y_sync & 15));
	out[11] = (uint8_t)((t->x_front >> 8) << 6 | (t->x_sync >> 8) << 4 | (t->y_front >> 4) << 2 | t->y_sync >> 4);
	out[12] = (uint8_t)x_mm;
	out[13] = (uint8_t)y_mm;
	out[14] = (uint8_t)((x_mm >> 8) << 4 | y_mm >> 8);
	out[17] = t->flags;
}

/* The preferred mode, larger ones, the name, and what is left is marked as unused. */
static void put_descriptors(uint8_t out[72], const struct bochs_model *m)
{
	static const uint8_t name[18] = { 0, 0, 0, 0xfc, 0, 'T', 'r', 'a', 'n', 'c', 'h', 'e', '\n', ' ', ' ', ' ', ' ', ' ' };
	static const uint8_t unused[18] = { 0, 0, 0, 0x10 };
	unsigned int nr = 0;

	for (size_t i = 0; i < sizeof(timings) / sizeof(timings[0]) && nr < 3; i++) {
		const struct timing *t = &timings[i];

		if (t->x >= m->best_x && t->y >= m->best_y && fits(m, t->x, t->y))
			put_detailed(out + 18 * nr++, t, m);
	}
	memcpy(out + 18 * nr++, name, 18);
	while (nr < 4)
		memcpy(out + 18 * nr++, unused, 18);
}

static void put_modes(uint8_t *out, const struct bochs_model *m)
{
	unsigned int nr = 0;

	out[35] = 0x20 | 0x01; /* 640x480 and 800x600 at 60 Hz, which every model can */
	out[36] = fits(m, 1024, 768) ? 0x08 : 0;
	memset(out + 38, 1, 16);
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++) {
		if (!fits(m, standard[i].x, standard[i].y))
			continue;
		out[38 + 2 * nr] = (uint8_t)(standard[i].x / 8 - 31);
		out[39 + 2 * nr++] = (uint8_t)(standard[i].aspect << 6);
	}
}

static void make_block(uint8_t out[BLOCK], const struct bochs_model *m)
{
	/* 3.3 to 3.7: header; "TRN", product 0x1111, no serial number, of 2026; 1.4; digital, 8 bits a colour; size below; gamma
	 * 2.2; RGB, sRGB, first detailed timing is native; the colours of sRGB. */
	static const uint8_t begin[35] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x52, 0x4e, 0x11, 0x11, 0, 0, 0, 0, 0, 2026 - 1990, 1, 4, 0xa0,
		0, 0, 120, 0x06, 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
	};
	uint8_t sum = 0;

	memset(out, 0, BLOCK);
	memcpy(out, begin, sizeof(begin));
	out[21] = (uint8_t)(mm_of(m->best_x) / 10);
	out[22] = (uint8_t)(mm_of(m->best_y) / 10);
	put_modes(out, m);
	put_descriptors(out + 54, m);
	for (unsigned int i = 0; i < BLOCK - 1; i++)
		sum = (uint8_t)(sum + out[i]);
	out[BLOCK - 1] = (uint8_t)-sum;
}

void bochs_edid_init(struct bochs *b)
{
	b->monitor = (struct bochs_monitor){ .link = VFIO_DEVICE_GFX_LINK_STATE_UP, .edid_size = BLOCK };
	make_block(b->monitor.edid, b->model);
}

int bochs_edid_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	struct bochs *b = trn_pci_priv(pci);
	struct vfio_region_gfx_edid header = {
		.edid_offset = BLOB_OFFSET,
		.edid_max_size = BOCHS_EDID_MAX,
		.edid_size = b->monitor.edid_size,
		.max_xres = b->model->max_x,
		.max_yres = b->model->max_y,
		.link_state = b->monitor.link,
	};
	uint8_t image[BOCHS_EDID_REGION_SIZE] = { 0 };

	/* The region as it stands; a write changes this copy, of which what may be written is taken. */
	memcpy(image, &header, sizeof(header));
	memcpy(image + BLOB_OFFSET, b->monitor.edid, BOCHS_EDID_MAX);
	if (!is_write) {
		memcpy(buf, image + offset, len);
		return 0;
	}
	memcpy(image + offset, buf, len);
	memcpy(&header, image, sizeof(header));
	if (header.edid_size > BOCHS_EDID_MAX ||
	    (header.link_state != VFIO_DEVICE_GFX_LINK_STATE_UP && header.link_state != VFIO_DEVICE_GFX_LINK_STATE_DOWN))
		return -EINVAL;
	b->monitor.edid_size = header.edid_size;
	b->monitor.link = header.link_state;
	memcpy(b->monitor.edid, image + BLOB_OFFSET, BOCHS_EDID_MAX);
	return 0;
}
