/* SPDX-License-Identifier: MIT */
/* The monitor: the EDID that a display comes with, and VFIO's region to give it another. */
#include "unit.h"

#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#include "display.h"

static void read_edid(struct display *d, uint8_t *edid, size_t len)
{
	/* byte by byte, as bochs-drm */
	for (size_t i = 0; i < len; i++)
		assert_int_equal(trn_use_region_read(d->use, REGION_MMIO, i, edid + i, 1), 0);
}

static int sum_of(const uint8_t *edid)
{
	uint8_t sum = 0;

	for (int i = 0; i < 128; i++)
		sum = (uint8_t)(sum + edid[i]);
	return sum;
}

/* Checks a detailed timing for sense: sync inside of the blank, 50 to 75 pictures a second. */
static void check_timing(const uint8_t *t, unsigned int *x, unsigned int *y)
{
	unsigned int clock = (t[0] | t[1] << 8) * 10000u, x_blank = t[3] | (t[4] & 15) << 8, y_blank = t[6] | (t[7] & 15) << 8;
	unsigned int x_front = t[8] | (t[11] >> 6) << 8, x_sync = t[9] | ((t[11] >> 4) & 3) << 8;
	unsigned int y_front = t[10] >> 4 | ((t[11] >> 2) & 3) << 4, y_sync = (t[10] & 15) | (t[11] & 3) << 4, rate;

	*x = t[2] | (t[4] >> 4) << 8;
	*y = t[5] | (t[7] >> 4) << 8;
	rate = clock / (*x + x_blank) / (*y + y_blank);
	assert_in_range(rate, 59, 60);
	assert_true(x_front + x_sync < x_blank && y_front + y_sync < y_blank);
	assert_int_equal(t[17] & 0x98, 0x18);
}

static void check_own(const char *type, unsigned int max_x, unsigned int max_y, unsigned int want_x, unsigned int want_y)
{
	static const uint8_t header[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	uint8_t edid[128];
	unsigned int x, y;
	struct display d;

	display_open(&d, type, NULL);
	read_edid(&d, edid, sizeof(edid));
	assert_memory_equal(edid, header, 8);
	assert_int_equal(edid[18] << 8 | edid[19], 0x104);
	assert_int_equal(sum_of(edid), 0);
	assert_int_equal(edid[126], 0); /* no other block */
	check_timing(edid + 54, &x, &y);
	assert_int_equal(x, want_x);
	assert_int_equal(y, want_y);
	for (int i = 1; i < 4; i++) {
		const uint8_t *t = edid + 54 + 18 * i;

		if (!t[0] && !t[1])
			continue;
		check_timing(t, &x, &y);
		assert_true(x <= max_x && y <= max_y);
	}
	for (int i = 38; i < 54; i += 2)
		if (edid[i] != 1 || edid[i + 1] != 1)
			assert_true((edid[i] + 31) * 8u <= max_x);
	display_close(&d);
}

static void test_own_edid(void **state)
{
	check_own("bochs-small", 800, 600, 800, 600);
	check_own("bochs-medium", 1920, 1440, 1024, 768);
	check_own("bochs-large", 4096, 4096, 1920, 1080);
}

static struct vfio_region_gfx_edid read_header(struct display *d)
{
	struct vfio_region_gfx_edid h;

	assert_int_equal(trn_use_region_read(d->use, REGION_EDID, 0, &h, sizeof(h)), 0);
	return h;
}

static int write_u32(struct display *d, size_t offset, uint32_t value)
{
	return trn_use_region_write(d->use, REGION_EDID, offset, &value, sizeof(value));
}

#define LINK offsetof(struct vfio_region_gfx_edid, link_state)
#define SIZE offsetof(struct vfio_region_gfx_edid, edid_size)

static void test_region(void **state)
{
	struct trn_caps *caps = trn_caps_new();
	struct vfio_region_info_cap_type cap;
	struct vfio_region_gfx_edid h;
	struct trn_region_info info;
	struct display d;

	display_open(&d, "bochs-medium", NULL);
	assert_int_equal(trn_use_region_info(d.use, REGION_EDID, &info), 0);
	h = read_header(&d);
	assert_true(info.size >= h.edid_offset + h.edid_max_size);
	assert_int_equal(info.flags, TRN_REGION_READ | TRN_REGION_WRITE);
	assert_int_equal(h.edid_max_size, 1024);
	assert_int_equal(h.edid_size, 128);
	assert_int_equal(h.max_xres, 1920);
	assert_int_equal(h.max_yres, 1440);
	assert_int_equal(h.link_state, VFIO_DEVICE_GFX_LINK_STATE_UP);
	assert_int_equal(trn_use_caps(d.use, REGION_EDID, caps), 0);
	assert_int_equal(trn_caps_len(caps), sizeof(cap));
	trn_caps_write(caps, &cap, 0);
	assert_int_equal(cap.header.id, VFIO_REGION_INFO_CAP_TYPE);
	assert_int_equal(cap.type, VFIO_REGION_TYPE_GFX);
	assert_int_equal(cap.subtype, VFIO_REGION_SUBTYPE_GFX_EDID);
	trn_caps_free(caps);
	display_close(&d);
}

/* VFIO's protocol: down, change, up. */
static void test_another_monitor(void **state)
{
	uint8_t blob[256], got[256], zero[256] = { 0 };
	uint32_t offset;
	struct display d;

	for (unsigned int i = 0; i < sizeof(blob); i++)
		blob[i] = (uint8_t)(i * 7 + 1);
	display_open(&d, "bochs-small", NULL);
	offset = read_header(&d).edid_offset;
	assert_int_equal(write_u32(&d, LINK, VFIO_DEVICE_GFX_LINK_STATE_DOWN), 0);
	read_edid(&d, got, sizeof(got));
	assert_memory_equal(got, zero, sizeof(got));
	assert_int_equal(trn_use_region_write(d.use, REGION_EDID, offset, blob, sizeof(blob)), 0);
	assert_int_equal(write_u32(&d, SIZE, sizeof(blob)), 0);
	assert_int_equal(write_u32(&d, LINK, VFIO_DEVICE_GFX_LINK_STATE_UP), 0);
	read_edid(&d, got, sizeof(got));
	assert_memory_equal(got, blob, sizeof(got));
	/* The monitor is not part of what a reset resets: a guest that boots again finds the same. */
	assert_int_equal(trn_use_reset(d.use), 0);
	assert_int_equal(read_header(&d).edid_size, sizeof(blob));
	display_close(&d);
}

static void test_refused(void **state)
{
	struct vfio_region_gfx_edid before, after;
	struct display d;

	display_open(&d, "bochs-small", NULL);
	before = read_header(&d);
	assert_int_equal(write_u32(&d, SIZE, 1025), -EINVAL);
	assert_int_equal(write_u32(&d, SIZE, UINT32_MAX), -EINVAL);
	assert_int_equal(write_u32(&d, LINK, 0), -EINVAL);
	assert_int_equal(write_u32(&d, LINK, 3), -EINVAL);
	/* what is read-only */
	assert_int_equal(write_u32(&d, 0, 0), 0);
	assert_int_equal(write_u32(&d, 4, UINT32_MAX), 0);
	assert_int_equal(write_u32(&d, offsetof(struct vfio_region_gfx_edid, max_xres), 7), 0);
	after = read_header(&d);
	assert_memory_equal(&before, &after, sizeof(after));
	display_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_edid),
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_another_monitor),
		cmocka_unit_test(test_refused),
	};

	return unit_run(tests);
}
