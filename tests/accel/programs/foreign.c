/* SPDX-License-Identifier: MIT */
/* foreign [NODE]: memory of another driver is refused, and what was not made to be given away is not given. */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw.h"

/* A dma-buf of the guest's own memory.  Return: its descriptor, or -1 */
static int make_foreign(void)
{
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), memory = memfd_create("foreign", MFD_ALLOW_SEALING);
	struct udmabuf_create c = { .memfd = (uint32_t)memory, .size = RAW_PAGE };
	int fd = -1;

	if (device >= 0 && memory >= 0 && !ftruncate(memory, RAW_PAGE) && !fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = ioctl(device, UDMABUF_CREATE, &c);
	close(device);
	close(memory);
	return fd;
}

static int import(int fd, int dmabuf)
{
	struct drm_prime_handle h = { .fd = dmabuf };

	return raw_call(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &h);
}

static int export(int fd, uint32_t handle, int *ret)
{
	struct drm_prime_handle h = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };
	int r = raw_call(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &h);

	*ret = h.fd;
	return r;
}

int main(int argc, char **argv)
{
	int fd = raw_open(argc, argv), with = raw_open(argc, argv), foreign = make_foreign(), out = -1, r;
	struct drm_tranche_gem_create b;

	if (foreign < 0) {
		printf("no memory of another driver: no /dev/udmabuf\n");
		return 77;
	}
	raw_session(fd, 0);
	raw_session(with, DRM_TRANCHE_SESSION_SHARING);
	r = import(with, foreign);
	printf("foreign memory: %d\n", r);
	raw_check(r < 0, "memory of another driver is refused");
	raw_check(import(fd, foreign) < 0, "by a session without sharing, too");
	raw_check_is(raw_buffer(with, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, 0, &b), 0, "a buffer that is not to be exported");
	raw_check(export(with, b.handle, &out) < 0, "is not exported");
	raw_check(raw_buffer(with, RAW_PAGE, DRM_TRANCHE_GEM_SERVICE, DRM_TRANCHE_GEM_EXPORTABLE, &b) < 0, "service memory is never to be");
	raw_check(raw_buffer(fd, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, DRM_TRANCHE_GEM_EXPORTABLE, &b) < 0,
		  "nor is anything of a session without sharing");
	raw_check_is(raw_buffer(with, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, DRM_TRANCHE_GEM_EXPORTABLE, &b), 0, "one that is to be exported");
	raw_check_is(export(with, b.handle, &out), 0, "is");
	r = import(fd, out);
	if (!r) {
		struct drm_tranche_gem_info info = { .handle = 0 };

		raw_check(raw_call(fd, DRM_IOCTL_TRANCHE_GEM_INFO, &info) < 0, "a handle that is none");
	}
	raw_check(lseek(out, 0, SEEK_END) == RAW_PAGE, "its dma-buf has its size");
	return raw_status();
}
