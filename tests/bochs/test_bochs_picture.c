/* SPDX-License-Identifier: MIT */
/* Pictures: decoded again by libpng and compared with what was drawn, pixel for pixel. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/socket.h"
#include "display.h"

/* What a pixel shall be; the low bits of a colour are those that 5 bits have not. */
static void colour_of(unsigned int x, unsigned int y, uint8_t rgb[3])
{
	rgb[0] = (uint8_t)(x * 3 + y);
	rgb[1] = (uint8_t)(y * 5 ^ x);
	rgb[2] = (uint8_t)(x + y * 7 + 13);
}

static void draw(struct display *d, uint64_t offset, unsigned int bpp, const uint8_t rgb[3])
{
	uint8_t *at = d->memory + offset;
	unsigned int v;

	if (bpp >= 24) {
		at[0] = rgb[2];
		at[1] = rgb[1];
		at[2] = rgb[0];
		if (bpp == 32)
			at[3] = 0xa5; /* nobody looks at it */
		return;
	}
	v = bpp == 16 ? (rgb[0] >> 3) << 11 | (rgb[1] >> 2) << 5 | rgb[2] >> 3 :
			(rgb[0] >> 3) << 10 | (rgb[1] >> 3) << 5 | rgb[2] >> 3 | 0x8000;
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

/* A colour of that many bits as a screen with 8 shows it: scaled, rounded down to what bits repeated give. */
static uint8_t shown(uint8_t v, unsigned int bits)
{
	unsigned int cut = v >> (8 - bits);

	return bits == 8 ? v : (uint8_t)(cut << (8 - bits) | cut >> (2 * bits - 8));
}

static uint8_t *decode(const void *png, size_t len, unsigned int *width, unsigned int *height)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t *pixels;

	assert_true(png_image_begin_read_from_memory(&image, png, len));
	image.format = PNG_FORMAT_RGB;
	pixels = malloc(PNG_IMAGE_SIZE(image));
	assert_non_null(pixels);
	assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
	*width = image.width;
	*height = image.height;
	return pixels;
}

static void compare(const uint8_t *pixels, unsigned int x_res, unsigned int y_res, unsigned int bpp)
{
	unsigned int bits = bpp >= 24 ? 8 : 5;
	uint8_t rgb[3];

	for (unsigned int y = 0; y < y_res; y++)
		for (unsigned int x = 0; x < x_res; x++, pixels += 3) {
			colour_of(x, y, rgb);
			if (pixels[0] != shown(rgb[0], bits) || pixels[1] != shown(rgb[1], bpp == 16 ? 6 : bits) ||
			    pixels[2] != shown(rgb[2], bits))
				fail_msg("pixel %u,%u of %ux%u, %u bits: %02x%02x%02x instead of %02x%02x%02x", x, y, x_res, y_res, bpp,
					 pixels[0], pixels[1], pixels[2], rgb[0], rgb[1], rgb[2]);
		}
}

static void check_mode(const char *type, unsigned int x_res, unsigned int y_res, unsigned int bpp, unsigned int virt,
		       unsigned int x_offset, unsigned int y_offset)
{
	unsigned int bytes = (bpp + 7) / 8, width, height;
	struct trn_error err = { 0 };
	uint8_t rgb[3], *pixels;
	struct display d;
	size_t len;
	void *png;

	display_open(&d, type, NULL);
	for (unsigned int y = 0; y < y_res; y++)
		for (unsigned int x = 0; x < x_res; x++) {
			colour_of(x, y, rgb);
			draw(&d, ((uint64_t)(y + y_offset) * virt + x + x_offset) * bytes, bpp, rgb);
		}
	/* Drawn first: a mode must not clear the memory. */
	display_set_mode(&d, (uint16_t)x_res, (uint16_t)y_res, (uint16_t)bpp);
	display_write(&d, VIRT_WIDTH, (uint16_t)virt);
	display_write(&d, X_OFFSET, (uint16_t)x_offset);
	display_write(&d, Y_OFFSET, (uint16_t)y_offset);
	if (bochs_screen_png(d.pci, &png, &len, &err) < 0)
		fail_msg("%s", err.text);
	pixels = decode(png, len, &width, &height);
	assert_int_equal(width, x_res);
	assert_int_equal(height, y_res);
	compare(pixels, x_res, y_res, bpp);
	free(pixels);
	free(png);
	display_close(&d);
}

static void test_pixel_for_pixel(void **state)
{
	check_mode("bochs-small", 640, 480, 32, 640, 0, 0);
	check_mode("bochs-small", 1, 1, 32, 1, 0, 0);
	check_mode("bochs-small", 799, 599, 24, 799, 0, 0);
	check_mode("bochs-small", 800, 600, 16, 800, 0, 0);
	check_mode("bochs-small", 321, 200, 15, 321, 0, 0);
	check_mode("bochs-medium", 1920, 1440, 32, 1920, 0, 0);
}

static void test_offsets(void **state)
{
	check_mode("bochs-medium", 1024, 768, 32, 1500, 300, 1000);
	check_mode("bochs-medium", 640, 480, 16, 4000, 3360, 7);
	/* A picture behind another one, at a page that is no beginning of a row: the screen wraps in its rows. */
	check_mode("bochs-medium", 640, 480, 32, 640, 448, 481);
	/* up to the last byte */
	check_mode("bochs-small", 512, 512, 32, 1024, 512, 512);
}

static void test_no_picture(void **state)
{
	struct trn_error err = { 0 };
	struct display d;
	size_t len = 77;
	void *png = &d;

	display_open(&d, "bochs-small", NULL);
	assert_refused(bochs_screen_png(d.pci, &png, &len, &err), err, -ENODATA, "ScreenOff");
	display_set_mode(&d, 512, 512, 32);
	display_write(&d, VIRT_WIDTH, 1024);
	display_write(&d, X_OFFSET, 513);
	display_write(&d, Y_OFFSET, 512);
	assert_refused(bochs_screen_png(d.pci, &png, &len, &err), err, -ENODATA, "ScreenOutside");
	display_write(&d, X_OFFSET, 65535);
	display_write(&d, Y_OFFSET, 65535);
	assert_refused(bochs_screen_png(d.pci, &png, &len, &err), err, -ENODATA, "ScreenOutside");
	assert_ptr_equal(png, &d);
	assert_int_equal(len, 77);
	display_close(&d);
}

static void test_changes(void **state)
{
	struct bochs_picture *before, *now;
	struct trn_span spans[2];
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_set_mode(&d, 640, 480, 32);
	assert_int_equal(bochs_picture_take(d.pci, &before, NULL), 0);
	assert_int_equal(bochs_picture_changes(NULL, before, spans, 2), 1);
	assert_true(spans[0].start == 0 && spans[0].len == 480);
	memset(d.memory + 640 * 4 * 100, 1, 640 * 4 * 3);
	d.memory[640 * 4 * 480 - 2] = 9;
	d.memory[640 * 4 * 480 - 1] = 9; /* its fourth byte alone would be no change */
	d.memory[640 * 4 * 7 + 3] = 9;
	d.memory[640 * 4 * 480] = 9; /* below the screen */
	assert_int_equal(bochs_picture_take(d.pci, &now, NULL), 0);
	assert_int_equal(bochs_picture_changes(before, now, spans, 2), 2);
	assert_true(spans[0].start == 100 && spans[0].len == 3);
	assert_true(spans[1].start == 479 && spans[1].len == 1);
	assert_int_equal(bochs_picture_changes(before, now, spans, 1), 2);
	assert_int_equal(bochs_picture_changes(now, now, spans, 2), 0);
	free(before);
	display_set_mode(&d, 320, 240, 32);
	assert_int_equal(bochs_picture_take(d.pci, &before, NULL), 0);
	assert_int_equal(bochs_picture_changes(now, before, spans, 2), 1);
	assert_int_equal(spans[0].len, 240);
	free(before);
	free(now);
	display_close(&d);
}

static size_t read_all(int fd, uint8_t *buf, size_t max)
{
	struct timeval limit = { .tv_sec = 20 };
	size_t len = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while ((n = read(fd, buf + len, max - len)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	return len;
}

static void draw_noise(struct display *d)
{
	uint32_t v = 1;

	for (uint64_t i = 0; i < d->memory_size; i++) {
		v ^= v << 13;
		v ^= v >> 17;
		v ^= v << 5;
		d->memory[i] = (uint8_t)v;
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_for_byte(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20000), 1);
}

/* Return: how long a display's end takes while somebody is connected who does not read, in milliseconds. */
static int64_t time_of_end(struct display *d, const char *path)
{
	int stuck = base_socket_connect_stream(path, NULL);
	int64_t start;

	wait_for_byte(stuck);
	start = now_ms();
	display_close(d);
	start = now_ms() - start;
	close(stuck);
	assert_int_equal(access(path, F_OK), -1);
	return start;
}

/* It is not what the server waits for: a peer has three seconds. On a busy machine something else may take that long, once. */
static void check_end(struct display *d, const char *path, const struct bochs_config *config)
{
	for (int tries_left = 3; time_of_end(d, path) > 2000; tries_left--) {
		assert_int_not_equal(tries_left, 0);
		display_open(d, "bochs-small", config);
		display_set_mode(d, 800, 600, 32);
		draw_noise(d);
	}
}

static void test_socket(void **state)
{
	static uint8_t buf[4 << 20];
	char dir[] = "/tmp/bochs-test-XXXXXX", path[64];
	struct bochs_config config = { .screen_path = path };
	struct trn_create_params second = { .uuid = "22222222-2222-3333-4444-555555555555" };
	struct trn_error err = { 0 };
	unsigned int width, height;
	struct display d;
	int stuck, fd;
	size_t len;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/screen", dir);
	display_open(&d, "bochs-small", &config);
	len = read_all(base_socket_connect_stream(path, NULL), buf, sizeof(buf));
	assert_true(len > 10 && buf[len - 1] == '\n' && buf[0] != 0x89);
	/* A picture that no socket's buffer holds. One that never reads, and leaves; one that stays: it is given up after a while. */
	display_set_mode(&d, 800, 600, 32);
	draw_noise(&d);
	fd = base_socket_connect_stream(path, NULL);
	assert_true(fd >= 0);
	close(fd);
	stuck = base_socket_connect_stream(path, NULL);
	len = read_all(base_socket_connect_stream(path, NULL), buf, sizeof(buf));
	free(decode(buf, len, &width, &height));
	assert_int_equal(width, 800);
	assert_int_equal(height, 600);
	/* The path is one device's. */
	assert_int_equal(trn_device_create(trn_type_find(d.parent, "bochs-small"), &second, NULL, &err), -EADDRINUSE);
	close(stuck);
	check_end(&d, path, &config);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pixel_for_pixel),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_no_picture),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_socket),
	};

	return unit_run(tests);
}
