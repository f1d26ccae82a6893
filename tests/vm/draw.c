/* SPDX-License-Identifier: MIT */
/*
 * draw CARD: lists the modes of a display, one a line, the best with a "*".
 * draw CARD WIDTH HEIGHT FILE: shows a pattern (test_bochs.py has the same), makes FILE, and stays until it is gone.
 * Talks to the kernel alone, so that the guest needs no libraries.
 */
#include <drm.h>
#include <drm_fourcc.h>
#include <drm_mode.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MODES 256

struct display {
	int fd;
	uint32_t crtc, connector;
	struct drm_mode_modeinfo modes[MAX_MODES];
	unsigned int nr_modes;
};

static void call(int fd, unsigned long request, void *data, const char *what)
{
	if (ioctl(fd, request, data) < 0)
		err(1, "%s", what);
}

static void look(struct display *d, const char *card)
{
	uint32_t crtcs[8], connectors[8], encoders[8];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 8,
		.connector_id_ptr = (uintptr_t)connectors, .count_connectors = 8,
		.encoder_id_ptr = (uintptr_t)encoders, .count_encoders = 8,
	};
	struct drm_mode_get_connector probe = { 0 }, get = { 0 };

	d->fd = open(card, O_RDWR);
	if (d->fd < 0)
		err(1, "%s", card);
	call(d->fd, DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
	if (!res.count_crtcs || !res.count_connectors)
		errx(1, "%s is no display", card);
	d->crtc = crtcs[0];
	d->connector = probe.connector_id = get.connector_id = connectors[0];
	call(d->fd, DRM_IOCTL_MODE_GETCONNECTOR, &probe, "the monitor"); /* looks for it, too */
	d->nr_modes = get.count_modes = probe.count_modes < MAX_MODES ? probe.count_modes : MAX_MODES;
	get.modes_ptr = (uintptr_t)d->modes;
	call(d->fd, DRM_IOCTL_MODE_GETCONNECTOR, &get, "modes");
}

static struct drm_mode_modeinfo *find_mode(struct display *d, unsigned int width, unsigned int height)
{
	for (unsigned int i = 0; i < d->nr_modes; i++)
		if (d->modes[i].hdisplay == width && d->modes[i].vdisplay == height)
			return &d->modes[i];
	errx(2, "no mode %ux%u", width, height);
}

/* Not the same in any two rows or columns of one screen. */
static uint32_t pixel(unsigned int x, unsigned int y)
{
	uint32_t red = 3 * x + y + 40 * (y / 256), green = (5 * y ^ x) + 9 * (x / 256), blue = x + 7 * y + 13;

	return (red & 255) << 16 | (green & 255) << 8 | (blue & 255);
}

/* Draws first and shows afterwards, as programs do. */
static uint32_t make_picture(int fd, uint32_t width, uint32_t height)
{
	struct drm_mode_create_dumb dumb = { .width = width, .height = height, .bpp = 32 };
	struct drm_mode_fb_cmd2 fb = { .width = width, .height = height, .pixel_format = DRM_FORMAT_XRGB8888 };
	struct drm_mode_map_dumb map = { 0 };
	uint32_t *at;

	call(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "a buffer");
	map.handle = fb.handles[0] = dumb.handle;
	fb.pitches[0] = dumb.pitch;
	call(fd, DRM_IOCTL_MODE_ADDFB2, &fb, "a frame buffer");
	call(fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "where to map the buffer");
	at = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
	if (at == MAP_FAILED)
		err(1, "mapping the buffer");
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			at[y * (dumb.pitch / 4) + x] = pixel(x, y);
	return fb.fb_id;
}

static void show(struct display *d, unsigned int width, unsigned int height, const char *file)
{
	struct drm_mode_crtc crtc = {
		.set_connectors_ptr = (uintptr_t)&d->connector, .count_connectors = 1, .crtc_id = d->crtc,
		.mode_valid = 1, .mode = *find_mode(d, width, height),
	};

	crtc.fb_id = make_picture(d->fd, width, height);
	call(d->fd, DRM_IOCTL_MODE_SETCRTC, &crtc, "setting the mode");
	close(creat(file, 0600));
	while (access(file, F_OK) == 0)
		usleep(20000);
}

int main(int argc, char **argv)
{
	static struct display d;

	if (argc != 2 && argc != 5)
		errx(1, "draw CARD [WIDTH HEIGHT FILE]");
	look(&d, argv[1]);
	if (argc == 5)
		show(&d, (unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]), argv[4]);
	for (unsigned int i = 0; argc == 2 && i < d.nr_modes; i++)
		printf("%ux%u%s\n", d.modes[i].hdisplay, d.modes[i].vdisplay, d.modes[i].type & DRM_MODE_TYPE_PREFERRED ? "*" : "");
	return 0;
}
