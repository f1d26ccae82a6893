/* SPDX-License-Identifier: MIT */
#include "parent/built.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"

void parent_built_init(struct parent_built *b)
{
	*b = (struct parent_built){ .reply.fd = -1 };
}

void parent_built_finish(struct parent_built *b)
{
	for (uint32_t i = 0; i < b->nr_files; i++)
		base_close(b->files[i].fd);
	free(b->files);
	base_close(b->reply.fd);
	parent_built_init(b);
}

bool parent_name_is_safe(const char *name)
{
	const char *p = name;
	size_t len;

	do {
		len = strcspn(p, "/");
		if (len == 0 || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
	} while (*p++ == '/');
	return true;
}

bool parent_built_has(const struct parent_built *b, const char *name)
{
	for (uint32_t i = 0; i < b->nr_files; i++)
		if (strcmp(b->files[i].name, name) == 0)
			return true;
	return false;
}

int parent_built_add(struct parent_built *b, const char *name, uint64_t size, int fd)
{
	struct parent_file *f;
	int r = 0;

	if (strlen(name) >= sizeof(f->name) || !parent_name_is_safe(name))
		r = -EINVAL;
	else if (b->nr_files == PARENT_MAX_FILES)
		r = -E2BIG;
	f = r == 0 ? reallocarray(b->files, b->nr_files + 1, sizeof(*f)) : NULL;
	if (!f) {
		base_close(fd);
		return r ? r : -ENOMEM;
	}
	b->files = f;
	f += b->nr_files++;
	*f = (struct parent_file){ .size = size, .fd = fd };
	strcpy(f->name, name); /* fits, see above */
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ? -errno : 0;
}

static int new_memory(void)
{
	int fd = memfd_create("tranche-program", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

int parent_memory_of(const void *data, size_t len)
{
	_cleanup_close_ int copy = new_memory();
	int r = copy < 0 ? copy : write_all(copy, data, len);

	if (r == 0)
		r = seal(copy);
	return r < 0 ? r : TAKE_FD(copy);
}

int parent_copy_to_memory(int fd, uint64_t max, uint64_t *ret_size)
{
	_cleanup_free_ uint8_t *buf = malloc(1u << 16);
	_cleanup_close_ int copy = new_memory();
	uint64_t done = 0;
	struct stat st;
	int r = copy < 0 ? copy : 0;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESPIPE;
	while (r == 0 && (n = pread(fd, buf, 1u << 16, (off_t)done)) != 0) {
		if (n < 0)
			return -errno;
		done += (uint64_t)n;
		r = done > max ? -E2BIG : write_all(copy, buf, (size_t)n);
	}
	if (r == 0)
		r = seal(copy);
	if (r < 0)
		return r;
	*ret_size = done;
	return TAKE_FD(copy);
}
