/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "raw.h"

static unsigned int nr_failures;

bool raw_check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "FAILED", what);
	fflush(stdout);
	nr_failures += !ok;
	return ok;
}

bool raw_check_is(long got, long want, const char *what)
{
	if (got != want)
		printf("got %ld, not %ld: ", got, want);
	return raw_check(got == want, what);
}

int raw_status(void)
{
	return nr_failures ? 1 : 0;
}

_Noreturn static void give_up(const char *what, int r)
{
	printf("FAILED: %s: %s\n", what, strerror(-r));
	exit(1);
}

int raw_open(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/accel/accel0";
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		give_up(path, -errno);
	return fd;
}

int raw_call(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

void raw_session(int fd, unsigned int flags)
{
	struct drm_tranche_session_create s = { .flags = flags };
	int r = raw_call(fd, DRM_IOCTL_TRANCHE_SESSION_CREATE, &s);

	if (r)
		give_up("no session", r);
}

unsigned int raw_context(int fd, uint64_t *ret_offset)
{
	struct drm_tranche_context_create c = { .ring_len = RAW_RING };
	int r = raw_call(fd, DRM_IOCTL_TRANCHE_CONTEXT_CREATE, &c);

	if (r)
		give_up("no context", r);
	*ret_offset = c.mmap_offset;
	return c.context;
}

int raw_buffer(int fd, uint64_t size, unsigned int kind, unsigned int flags, struct drm_tranche_gem_create *ret)
{
	*ret = (struct drm_tranche_gem_create){ .size = size, .kind = kind, .flags = flags };
	return raw_call(fd, DRM_IOCTL_TRANCHE_GEM_CREATE, ret);
}

struct raw_range raw_part_of(uint64_t mmap_offset, enum raw_part part)
{
	const size_t events = 4096 * 64;
	const struct raw_range ranges[] = {
		[RAW_USER] = { 0, RAW_PAGE },
		[RAW_HOST] = { RAW_PAGE, RAW_PAGE },
		[RAW_KERNEL] = { 2 * RAW_PAGE, RAW_PAGE },
		[RAW_RING_PART] = { 3 * RAW_PAGE, RAW_RING },
		[RAW_EVENTS] = { 3 * RAW_PAGE + RAW_RING, events },
	};
	struct raw_range range = ranges[part];

	range.offset += mmap_offset;
	return range;
}
