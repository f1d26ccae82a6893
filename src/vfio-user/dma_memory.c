/* SPDX-License-Identifier: MIT */
/*
 * The memory of one map. The client owns the file and may do anything to it at any time, so a plain copy is made only where
 * no page can go away: in a memfd that is sealed against shrinking. Everywhere else the kernel copies, and says so when it
 * cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/range.h"
#include "vfio-user/dma_priv.h"

static int check_rights(const struct vfu_map *map, int fd)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0)
		return -errno;
	if (fl & O_PATH)
		return -EBADF;
	if ((map->flags & TRN_DMA_READ) && (fl & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	/* What is written to a file that is open for appending goes to its end, wherever it was meant for. */
	if ((map->flags & TRN_DMA_WRITE) && ((fl & O_ACCMODE) == O_RDONLY || fl & O_APPEND))
		return -EACCES;
	return 0;
}

static int check_file(const struct vfu_map *map, int fd)
{
	struct stat st;
	int r = check_rights(map, fd);

	if (r < 0) {
		log_debug("DMA_MAP: the file is not open for what flags %#x allow", map->flags);
		return r;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		log_debug("DMA_MAP: a directory is no memory");
		return -EISDIR;
	}
	if (st.st_size < 0 || !base_range_is_within(map->offset, map->len, (uint64_t)st.st_size)) {
		log_debug("DMA_MAP: the file has %lld bytes, %#llx are wanted from %#llx on", (long long)st.st_size,
			  (unsigned long long)map->len, (unsigned long long)map->offset);
		return -EINVAL;
	}
	return 0;
}

static int map_file(struct vfu_map *map, int fd, uint64_t granule)
{
	int prot = (map->flags & TRN_DMA_READ ? PROT_READ : 0) | (map->flags & TRN_DMA_WRITE ? PROT_WRITE : 0);
	uint64_t start = map->offset & ~(granule - 1), end;
	void *base;

	if (!base_round_up(map->offset + map->len, granule, &end))
		return -EINVAL;
	/* NORESERVE: huge pages that the client did not back shall not count against the host's while nobody touches them. */
	base = mmap(NULL, end - start, prot, MAP_SHARED | MAP_NORESERVE, fd, (off_t)start);
	if (base == MAP_FAILED)
		return -errno;
	map->base = base;
	map->base_len = end - start;
	map->addr = (uint8_t *)base + (map->offset - start);
	return 0;
}

/* A sandbox around this process may deny it. */
static bool can_copy_checked(void)
{
	uint8_t from = 0, to;
	struct iovec mine = { .iov_base = &to, .iov_len = 1 }, theirs = { .iov_base = &from, .iov_len = 1 };

	return process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0) == 1;
}

/* Errors of mmap after which reading and writing may work: too large, or of a kind or opened in a way that cannot be mapped. */
static bool can_do_without_map(int error)
{
	return error == -ENOMEM || error == -EAGAIN || error == -ENODEV || error == -EACCES;
}

static int choose_way(struct vfu_map *map, int *fd, bool is_file_io)
{
	struct statfs fs;
	bool is_huge;
	int r = check_file(map, *fd);

	if (r < 0)
		return r;
	if (fstatfs(*fd, &fs) < 0)
		return -errno;
	/* Whoever serves such a file, or one below it, could hold up each access, with the device's lock held, for ever. */
	if (fs.f_type == FUSE_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return 0;
	/* A fault may find no huge page left, and SIGBUS is the answer then too. */
	is_huge = fs.f_type == HUGETLBFS_MAGIC;
	map->way = !is_huge && base_memfd_is_safe(*fd, map->offset + map->len) ? VFU_WAY_DIRECT : VFU_WAY_COPY;
	if (!is_file_io && (map->way == VFU_WAY_DIRECT || can_copy_checked())) {
		r = map_file(map, *fd, is_huge ? (uint64_t)fs.f_bsize : BASE_PAGE_SIZE);
		if (r >= 0 || !can_do_without_map(r))
			return r;
	}
	map->way = VFU_WAY_FILE;
	map->fd = TAKE_FD(*fd);
	return 0;
}

int vfu_memory_open(const struct vfu_dma_map *wire, int *fd, struct vfu_map **ret)
{
	struct vfu_map *map = calloc(1, sizeof(*map));
	int r = 0;

	if (!map)
		return -ENOMEM;
	map->iova = wire->address;
	map->len = wire->size;
	map->flags = (wire->flags & VFU_DMA_MAP_READ ? TRN_DMA_READ : 0) |
		     (wire->flags & VFU_DMA_MAP_WRITE ? TRN_DMA_WRITE : 0);
	map->way = VFU_WAY_MESSAGES;
	map->fd = -1;
	if (*fd >= 0) {
		map->offset = wire->offset;
		r = choose_way(map, fd, wire->flags & VFU_DMA_MAP_FILE_IO);
	}
	if (r < 0) {
		vfu_memory_close(map);
		return r;
	}
	*ret = map;
	return 0;
}

void vfu_memory_close(struct vfu_map *map)
{
	if (!map)
		return;
	if (map->base)
		(void)munmap(map->base, map->base_len);
	base_close(map->fd);
	free(map);
}

/* The kernel copies between two places of this process, and reports a page that is not there instead of raising a signal. */
static int copy_checked(uint8_t *addr, uint8_t *buf, size_t len, bool is_write)
{
	while (len) {
		struct iovec mine = { .iov_base = buf, .iov_len = len };
		struct iovec theirs = { .iov_base = addr, .iov_len = len };
		ssize_t n = is_write ? process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0) :
				       process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);

		if (n < 0 && errno != EFAULT)
			return -errno;
		if (n <= 0)
			return -EFAULT;
		addr += n;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_file(int fd, uint64_t offset, uint8_t *buf, size_t len, bool is_write)
{
	struct stat st;

	/* A write behind the end would make the file longer again. */
	if (is_write && (fstat(fd, &st) < 0 || !base_range_is_within(offset, len, (uint64_t)st.st_size)))
		return -EFAULT;
	while (len) {
		ssize_t n = is_write ? pwrite(fd, buf, len, (off_t)offset) : pread(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		offset += (uint64_t)n;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int vfu_memory_copy(const struct vfu_map *map, uint64_t iova, void *buf, size_t len, bool is_write)
{
	uint64_t at = iova - map->iova;

	switch (map->way) {
	case VFU_WAY_DIRECT:
		if (is_write)
			memcpy(map->addr + at, buf, len);
		else
			memcpy(buf, map->addr + at, len);
		return 0;
	case VFU_WAY_COPY:
		return copy_checked(map->addr + at, buf, len, is_write);
	case VFU_WAY_FILE:
		return copy_file(map->fd, map->offset + at, buf, len, is_write);
	case VFU_WAY_MESSAGES:
		break;
	}
	return -EINVAL;
}
