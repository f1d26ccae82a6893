/* SPDX-License-Identifier: MIT */
#include "base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/range.h"

int base_memfd_create(const char *name, uint64_t size)
{
	_cleanup_close_ int fd = -1;

	if (size == 0 || !base_is_page_aligned(size))
		return -EINVAL;
	if (size > INT64_MAX)
		return -EFBIG;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int base_memfd_fix_seals(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return -errno;
	if (seals & F_SEAL_SEAL)
		return 0;
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) < 0 ? -errno : 0;
}

int base_memfd_retire(int fd, uint64_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return -errno;
	/* The kernel refuses to punch a file that is sealed for writing, so the punch comes first ... */
	if (!(seals & F_SEAL_WRITE)) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0)
			return -errno;
		if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
			return -errno;
	}
	/* ... and a page that was touched between the two is found by counting. */
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_blocks == 0 ? 0 : -EBUSY;
}

bool base_memfd_is_safe(int fd, uint64_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &st) == 0 && st.st_size >= 0 &&
	       (uint64_t)st.st_size >= size;
}
