/* SPDX-License-Identifier: MIT */
/* stale NODE RESET: memory that was exported before a reset (1 is written to RESET) stands for nothing that came after it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "raw.h"

static int new_session(int argc, char **argv)
{
	int fd = raw_open(argc, argv);

	raw_session(fd, DRM_TRANCHE_SESSION_SHARING);
	return fd;
}

static struct drm_tranche_gem_create new_buffer(int fd)
{
	struct drm_tranche_gem_create b;

	raw_check_is(raw_buffer(fd, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, DRM_TRANCHE_GEM_EXPORTABLE, &b), 0, "a buffer that can be exported");
	return b;
}

static int ask(int fd, uint32_t handle, uint64_t *ret_seq)
{
	struct drm_tranche_gem_info info = { .handle = handle };
	int r = raw_call(fd, DRM_IOCTL_TRANCHE_GEM_INFO, &info);

	*ret_seq = info.control_seq;
	return r;
}

int main(int argc, char **argv)
{
	int reset = argc > 2 ? open(argv[2], O_WRONLY) : -1, before = new_session(argc, argv), after;
	struct drm_prime_handle h = { .handle = new_buffer(before).handle, .flags = DRM_CLOEXEC | DRM_RDWR }, again = { .flags = 0 };
	struct drm_tranche_gem_create b;
	struct drm_gem_close done;
	uint64_t seq, then;

	raw_check_is(raw_call(before, DRM_IOCTL_PRIME_HANDLE_TO_FD, &h), 0, "exported");
	raw_check_is(write(reset, "1", 1), 1, "the device is reset");
	after = new_session(argc, argv);
	b = new_buffer(after);
	raw_check_is(ask(after, b.handle, &seq), 0, "it is attached");
	again.fd = h.fd;
	if (!raw_call(after, DRM_IOCTL_PRIME_FD_TO_HANDLE, &again)) {
		raw_check(again.handle != b.handle, "the old one is another");
		raw_check_is(ask(after, again.handle, &then), -ESHUTDOWN, "and is lost");
		done = (struct drm_gem_close){ .handle = again.handle };
		raw_check_is(raw_call(after, DRM_IOCTL_GEM_CLOSE, &done), 0, "it can be closed");
	}
	raw_check_is(ask(after, b.handle, &then), 0, "the new one is still there");
	raw_check_is((long)then, (long)seq, "and was not attached anew");
	return raw_status();
}
