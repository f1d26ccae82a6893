/* SPDX-License-Identifier: MIT */
/* Point 24. What bochs-drm looks at, and modes: those that fit, those that do not. */
#include "unit.h"

#include <string.h>

#include "display.h"

static void test_ids(void **state)
{
	static const uint8_t want[] = { 0x34, 0x12, 0x11, 0x11 }, want_class[] = { 1, 0x00, 0x80, 0x03 },
			     want_sub[] = { 0xf4, 0x1a, 0x00, 0x11 };
	struct display d;
	uint8_t got[4];

	display_open(&d, "bochs-medium", NULL);
	assert_int_equal(trn_use_region_read(d.use, REGION_CONFIG, 0, got, 4), 0);
	assert_memory_equal(got, want, 4);
	assert_int_equal(trn_use_region_read(d.use, REGION_CONFIG, 8, got, 4), 0);
	assert_memory_equal(got, want_class, 4);
	assert_int_equal(trn_use_region_read(d.use, REGION_CONFIG, 0x2c, got, 4), 0);
	assert_memory_equal(got, want_sub, 4);
	display_close(&d);
}

static void test_what_the_guest_driver_demands(void **state)
{
	struct trn_region_info info;
	uint32_t bar;
	struct display d;

	display_open(&d, "bochs-small", NULL);
	assert_int_equal(display_read(&d, ID), 0xb0c5);
	assert_int_equal(display_read(&d, MEMORY_64K) * 65536u, 4u << 20);
	assert_int_equal(trn_use_region_info(d.use, REGION_MEMORY, &info), 0);
	assert_int_equal(info.size, 4u << 20);
	assert_int_equal(info.flags, TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP);
	assert_int_equal(trn_use_region_info(d.use, REGION_MMIO, &info), 0);
	assert_int_equal(info.size, 4096);
	assert_int_equal(info.flags, TRN_REGION_READ | TRN_REGION_WRITE);
	/* 32-bit memory, prefetchable or not */
	assert_int_equal(trn_use_region_read(d.use, REGION_CONFIG, 0x10, &bar, 4), 0);
	assert_int_equal(bar & 15, 8);
	assert_int_equal(trn_use_region_read(d.use, REGION_CONFIG, 0x18, &bar, 4), 0);
	assert_int_equal(bar & 15, 0);
	display_close(&d);
}

static void test_ports_and_holes_take_anything(void **state)
{
	uint8_t bytes[4096], zero[0x20] = { 0 };
	struct display d;

	display_open(&d, "bochs-small", NULL);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(trn_use_region_write(d.use, REGION_MMIO, 0x400, bytes, 0x20), 0);
	assert_int_equal(trn_use_region_write(d.use, REGION_MMIO, 0x516, bytes, 4096 - 0x516), 0);
	assert_int_equal(trn_use_region_read(d.use, REGION_MMIO, 0, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes + 0x400, zero, 0x20);
	/* the size of registers that revision 2 would have */
	assert_memory_equal(bytes + 0x600, zero, 4);
	display_close(&d);
}

static void test_registers_at_any_width(void **state)
{
	const uint8_t mode[] = { 0x20, 0x03, 0x58, 0x02, 0x20, 0x00, 0x01 }; /* 800, 600, 32, and half of ENABLE */
	uint8_t got[5];
	uint8_t low = 0x80;
	struct display d;

	display_open(&d, "bochs-small", NULL);
	assert_int_equal(trn_use_region_write(d.use, REGION_MMIO, 0x502, mode, sizeof(mode)), 0);
	assert_int_equal(display_read(&d, XRES), 800);
	assert_int_equal(display_read(&d, YRES), 600);
	assert_int_equal(display_read(&d, BPP), 32);
	assert_int_equal(display_read(&d, ENABLE), 1);
	assert_int_equal(trn_use_region_read(d.use, REGION_MMIO, 0x503, got, 5), 0);
	assert_memory_equal(got, mode + 1, 5);
	display_write(&d, ENABLE, 0);
	assert_int_equal(trn_use_region_write(d.use, REGION_MMIO, 0x502, &low, 1), 0);
	assert_int_equal(display_read(&d, XRES), 0x320); /* 0x380 is too wide: the last good value stays */
	low = 0x10;
	assert_int_equal(trn_use_region_write(d.use, REGION_MMIO, 0x502, &low, 1), 0);
	assert_int_equal(display_read(&d, XRES), 0x310);
	display_close(&d);
}

static void test_read_only(void **state)
{
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_set_mode(&d, 640, 480, 32);
	display_write(&d, ID, 0xb0c0);
	display_write(&d, MEMORY_64K, 1);
	display_write(&d, BANK, 3);
	display_write(&d, VIRT_HEIGHT, 3);
	assert_int_equal(display_read(&d, ID), 0xb0c5);
	assert_int_equal(display_read(&d, MEMORY_64K), 64);
	assert_int_equal(display_read(&d, BANK), 0);
	assert_int_equal(display_read(&d, VIRT_HEIGHT), (4 << 20) / (640 * 4));
	display_close(&d);
}

static void test_limits_of_a_type(void **state)
{
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_set_mode(&d, 800, 600, 32);
	assert_int_equal(display_read(&d, ENABLE), 0x41);
	display_set_mode(&d, 801, 600, 32);
	assert_int_equal(display_read(&d, XRES), 800);
	display_set_mode(&d, 800, 601, 32);
	assert_int_equal(display_read(&d, YRES), 600);
	display_set_mode(&d, 0, 0, 32);
	assert_int_equal(display_read(&d, XRES), 800);
	for (unsigned int bpp = 0; bpp < 66; bpp++) {
		bool is_good = bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;

		display_set_mode(&d, 640, 480, 32);
		display_set_mode(&d, 640, 480, (uint16_t)bpp);
		assert_int_equal(display_read(&d, BPP), is_good ? bpp : 32);
	}
	display_close(&d);
	display_open(&d, "bochs-medium", NULL);
	display_set_mode(&d, 1920, 1440, 32);
	display_set_mode(&d, 1921, 1441, 32);
	assert_int_equal(display_read(&d, XRES), 1920);
	assert_int_equal(display_read(&d, YRES), 1440);
	display_close(&d);
}

static void test_modes_that_do_not_fit_stay_off(void **state)
{
	struct display d;

	display_open(&d, "bochs-large", NULL);
	display_write(&d, ENABLE, 0x41); /* no mode at all */
	assert_int_equal(display_read(&d, ENABLE), 0x40);
	display_set_mode(&d, 4096, 4096, 32);
	assert_int_equal(display_read(&d, ENABLE), 0x41);
	display_set_mode(&d, 4096, 4097, 32);
	assert_int_equal(display_read(&d, ENABLE), 0x40);
	display_set_mode(&d, 4096, 4097, 24);
	assert_int_equal(display_read(&d, ENABLE), 0x41);
	display_set_mode(&d, 65535, 65535, 32);
	assert_int_equal(display_read(&d, ENABLE), 0x40);
	assert_int_equal(display_read(&d, XRES), 65535);
	display_close(&d);
}

static void test_while_on_the_mode_stands(void **state)
{
	struct display d;

	display_open(&d, "bochs-medium", NULL);
	display_set_mode(&d, 1024, 768, 32);
	display_write(&d, XRES, 640);
	display_write(&d, YRES, 480);
	display_write(&d, BPP, 16);
	assert_int_equal(display_read(&d, XRES), 1024);
	assert_int_equal(display_read(&d, YRES), 768);
	assert_int_equal(display_read(&d, BPP), 32);
	display_write(&d, VIRT_WIDTH, 2048);
	assert_int_equal(display_read(&d, VIRT_WIDTH), 2048);
	display_write(&d, VIRT_WIDTH, 1023); /* narrower than the screen */
	assert_int_equal(display_read(&d, VIRT_WIDTH), 2048);
	display_write(&d, VIRT_WIDTH, 5468); /* 767 rows of it and one screen: more than 16 MiB */
	assert_int_equal(display_read(&d, VIRT_WIDTH), 2048);
	display_close(&d);
}

static void test_virtual_width_follows_the_mode(void **state)
{
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_write(&d, BPP, 32);
	display_write(&d, XRES, 640);
	display_write(&d, YRES, 480);
	display_write(&d, VIRT_WIDTH, 3); /* to be wider than the screen at last */
	display_write(&d, ENABLE, 0x41);
	assert_int_equal(display_read(&d, VIRT_WIDTH), 640);
	assert_int_equal(display_read(&d, ENABLE), 0x41);
	display_close(&d);
}

static void test_capabilities(void **state)
{
	struct display d;

	display_open(&d, "bochs-medium", NULL);
	display_set_mode(&d, 640, 480, 16);
	display_write(&d, ENABLE, 0x43);
	assert_int_equal(display_read(&d, XRES), 1920);
	assert_int_equal(display_read(&d, YRES), 1440);
	assert_int_equal(display_read(&d, BPP), 32);
	display_write(&d, ENABLE, 0x41);
	assert_int_equal(display_read(&d, XRES), 640);
	display_close(&d);
}

static void test_reset(void **state)
{
	const uint16_t command = TRN_PCI_COMMAND_MEMORY;
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_set_mode(&d, 640, 480, 32);
	memset(d.memory, 0x55, d.memory_size);
	assert_int_equal(trn_use_reset(d.use), 0);
	assert_int_equal(trn_use_region_write(d.use, REGION_CONFIG, 4, &command, sizeof(command)), 0);
	for (unsigned int reg = XRES; reg <= Y_OFFSET; reg++)
		assert_int_equal(display_read(&d, reg), 0);
	for (uint64_t i = 0; i < d.memory_size; i += 511)
		assert_int_equal(d.memory[i], 0);
	display_close(&d);
}

static void test_memory_off(void **state)
{
	const uint16_t off = 0;
	uint16_t value;
	struct display d;

	display_open(&d, "bochs-small", NULL);
	assert_int_equal(trn_use_region_write(d.use, REGION_CONFIG, 4, &off, sizeof(off)), 0);
	assert_true(trn_use_region_read(d.use, REGION_MMIO, 0x500, &value, 2) < 0);
	display_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_what_the_guest_driver_demands),
		cmocka_unit_test(test_ports_and_holes_take_anything),
		cmocka_unit_test(test_registers_at_any_width),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_limits_of_a_type),
		cmocka_unit_test(test_modes_that_do_not_fit_stay_off),
		cmocka_unit_test(test_while_on_the_mode_stands),
		cmocka_unit_test(test_virtual_width_follows_the_mode),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_memory_off),
	};

	return unit_run(tests);
}
