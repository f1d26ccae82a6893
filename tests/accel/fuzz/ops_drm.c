/* SPDX-License-Identifier: MIT */
/* DRM's own calls, dma-bufs, and what can be done with any descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static long version(struct worker *w)
{
	char name[64], date[64], desc[64];
	struct drm_version args = { .name = name, .name_len = fuzz_below(w, 64), .date = date, .date_len = fuzz_below(w, 64),
				    .desc = desc, .desc_len = fuzz_below(w, 64) };

	return fuzz_ioctl(w, fuzz_file(w)->fd, DRM_IOCTL_VERSION, &args, sizeof(args));
}

static long caps(struct worker *w)
{
	struct drm_get_cap get = { .capability = fuzz_below(w, 0x18) };
	struct drm_set_client_cap set = { .capability = fuzz_below(w, 8), .value = fuzz_below(w, 3) };
	int fd = fuzz_file(w)->fd;

	return fuzz_one_in(w, 2) ? fuzz_ioctl(w, fd, DRM_IOCTL_GET_CAP, &get, sizeof(get)) :
				   fuzz_ioctl(w, fd, DRM_IOCTL_SET_CLIENT_CAP, &set, sizeof(set));
}

static long gem_close(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct object *o = fuzz_object(w, f, 0);
	struct drm_gem_close args = { .handle = o ? o->handle : fuzz_below(w, 64) };

	if (o)
		o->handle = 0;
	return fuzz_ioctl(w, f->fd, DRM_IOCTL_GEM_CLOSE, &args, sizeof(args));
}

static long prime_export(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct drm_prime_handle args = { .handle = fuzz_some_handle(w, f), .flags = fuzz_one_in(w, 4) ? 0 : DRM_CLOEXEC | DRM_RDWR };
	long r;

	fuzz_spoil(w, &args, sizeof(args));
	r = fuzz_ioctl(w, f->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args, sizeof(args));
	if (r >= 0 && args.fd > 2 && fcntl(args.fd, F_GETFD) >= 0 && args.fd < FIRST_FD)
		fuzz_keep_fd(w, args.fd);
	return r;
}

static long prime_import(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct drm_prime_handle args = { .fd = fuzz_some_fd(w) };
	struct object *o = fuzz_new_object(f);
	long r;

	if (!o)
		return NOTHING;
	r = fuzz_ioctl(w, f->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args, sizeof(args));
	if (r >= 0)
		*o = (struct object){ .handle = args.handle, .kind = DRM_TRANCHE_GEM_BUFFER, .size = 4096 };
	return r;
}

static long dma_buf(struct worker *w)
{
	struct dma_buf_sync sync = { .flags = fuzz_below(w, 8) };
	struct dma_buf_export_sync_file out = { .flags = fuzz_below(w, 4), .fd = -1 };
	int fd = fuzz_some_fd(w);
	long r;

	switch (fuzz_below(w, 4)) {
	case 0:
		return lseek(fd, 0, SEEK_END) < 0 ? -errno : 0;
	case 1:
		return fuzz_ioctl(w, fd, DMA_BUF_SET_NAME_B, (char[32]){ "fuzz" }, 32);
	case 2:
		r = fuzz_ioctl(w, fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out, sizeof(out));
		if (r >= 0 && out.fd > 2 && out.fd < FIRST_FD)
			close(out.fd);
		return r;
	default:
		return fuzz_ioctl(w, fd, DMA_BUF_IOCTL_SYNC, &sync, sizeof(sync));
	}
}

/* Of a kind that is no dma-buf of the device. */
static long stranger(struct worker *w)
{
	int fd = fuzz_one_in(w, 2) ? memfd_create("stranger", MFD_CLOEXEC) : open("/dev/null", O_RDWR | O_CLOEXEC);

	/* (Longer than what is ever mapped of it: a SIGBUS is the driver's.) */
	return fd < 0 || (ftruncate(fd, SLOT_SIZE) < 0 && errno != EINVAL) ? -errno : fuzz_keep_fd(w, fd);
}

static long close_fd(struct worker *w)
{
	int *place = &w->world->fds[fuzz_below(w, NR_FDS)];
	int fd = *place;

	if (fd < 0)
		return NOTHING;
	*place = -1;
	return close(fd) < 0 ? -errno : 0;
}

static long fdinfo(struct worker *w)
{
	char path[64], text[4096];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fuzz_one_in(w, 4) ? fuzz_some_fd(w) : fuzz_session(w)->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n < 0 ? -errno : n;
}

static long file_calls(struct worker *w)
{
	int fd = fuzz_one_in(w, 4) ? fuzz_some_fd(w) : fuzz_file(w)->fd;
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct stat st;
	char buf[64];

	if (fd < FIRST_FD)
		return NOTHING;
	switch (fuzz_below(w, 6)) {
	case 0:
		return poll(&pfd, 1, 0);
	case 1:
		fcntl(fd, F_SETFL, O_NONBLOCK);
		return read(fd, buf, sizeof(buf)) < 0 ? -errno : 0;
	case 2:
		return write(fd, buf, 8) < 0 ? -errno : 0;
	case 3:
		return fstat(fd, &st) < 0 ? -errno : 0;
	case 4:
		return lseek(fd, (off_t)fuzz_odd_number(w), SEEK_SET) < 0 ? -errno : 0;
	default:
		return fsync(fd) < 0 ? -errno : 0;
	}
}

/* The file is the same session under another number, or under the number of another one. */
static long dup_file(struct worker *w)
{
	struct file *from = fuzz_session(w), *to = fuzz_file(w);
	int fd = from->fd < 0 ? -1 : fcntl(from->fd, F_DUPFD_CLOEXEC, FIRST_FD);

	if (fd < 0)
		return NOTHING;
	if (to->fd >= 0 && to != from && fuzz_one_in(w, 4)) {
		dup3(fd, to->fd, O_CLOEXEC);
		close(fd);
		fd = to->fd;
	} else if (to->fd >= 0) {
		close(fd);
		return NOTHING;
	}
	*to = *from;
	to->fd = fd;
	return 0;
}

static long any_ioctl(struct worker *w)
{
	uint8_t buf[256];
	unsigned int number = fuzz_below(w, 0x100), size = fuzz_below(w, sizeof(buf) + 1), type;

	if (number >= DRM_COMMAND_BASE && number < DRM_COMMAND_END)
		return NOTHING;
	fuzz_fill(w, buf, sizeof(buf));
	if (fuzz_one_in(w, 2))
		memset(buf, 0, sizeof(buf));
	type = fuzz_one_in(w, 8) ? fuzz_below(w, 256) : DRM_IOCTL_BASE;
	return fuzz_ioctl(w, fuzz_file(w)->fd, _IOC(fuzz_below(w, 4), type, number, size), buf, sizeof(buf));
}

const struct op drm_ops[] = {
	{ "version", 3, version },     { "caps", 3, caps },	    { "gem_close", 20, gem_close },	{ "export", 30, prime_export },
	{ "import", 30, prime_import }, { "dma_buf", 15, dma_buf },   { "stranger", 3, stranger },	{ "close_fd", 10, close_fd },
	{ "fdinfo", 8, fdinfo },       { "file_calls", 10, file_calls }, { "dup", 8, dup_file },	{ "any_ioctl", 20, any_ioctl },
	{ 0 },
};
