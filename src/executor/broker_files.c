/* SPDX-License-Identifier: MIT */
#include "executor/broker_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int exec_broker_files_add(struct exec_broker_files *f, const char *name, uint64_t size, int fd)
{
	struct exec_broker_file *list = reallocarray(f->list, f->nr + 1u, sizeof(*list));
	char *copy = list ? strdup(name) : NULL;

	if (list)
		f->list = list;
	if (!copy || name[0] == '/' || strstr(name, "..")) {
		free(copy);
		base_close(fd);
		return copy ? -EPROTO : -ENOMEM;
	}
	f->list[f->nr++] = (struct exec_broker_file){ .name = copy, .size = size, .fd = fd };
	return 0;
}

void exec_broker_files_finish(struct exec_broker_files *f)
{
	for (uint32_t i = 0; i < f->nr; i++) {
		free(f->list[i].name);
		base_close(f->list[i].fd);
	}
	free(f->list);
	*f = (struct exec_broker_files){ 0 };
}

static int make_folders(char *path, size_t from)
{
	for (char *p = path + from; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

/* POCL_CACHE_DIR/name; *from: where the name begins. */
static int place(const char *name, char *path, size_t cap, size_t *from)
{
	const char *cache = getenv("POCL_CACHE_DIR");
	int n = cache ? snprintf(path, cap, "%s/%s", cache, name) : -1;

	if (n < 0 || (size_t)n >= cap)
		return -ENAMETOOLONG;
	*from = strlen(cache) + 1;
	return 0;
}

int exec_broker_make_folder(const char *name, char *ret, size_t cap)
{
	size_t from;
	int r = place(name, ret, cap, &from);

	if (r == 0)
		r = make_folders(ret, from);
	if (r == 0 && mkdir(ret, 0700) < 0 && errno != EEXIST)
		r = -errno;
	return r;
}

static int copy(int from, int to, uint64_t size)
{
	_cleanup_free_ uint8_t *buf = malloc(1u << 16);
	uint64_t done = 0;

	if (!buf)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = pread(from, buf, 1u << 16, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		if (pwrite(to, buf, (size_t)n, (off_t)done) != n)
			return -ENOSPC;
		done += (uint64_t)n;
	}
	return 0;
}

static int write_one(const struct exec_broker_file *f)
{
	char path[PATH_MAX], beside[PATH_MAX + 16];
	_cleanup_close_ int fd = -1;
	size_t from = 0;
	int r = place(f->name, path, sizeof(path), &from);

	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return 0;
	r = make_folders(path, from);
	if (r < 0)
		return r;
	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = copy(f->fd, fd, f->size);
	/* Shared objects are executed. */
	if (r == 0 && (fchmod(fd, 0700) < 0 || rename(beside, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(beside);
	return r;
}

int exec_broker_files_write(const struct exec_broker_files *f)
{
	int r = 0;

	for (uint32_t i = 0; i < f->nr && r == 0; i++)
		r = write_one(&f->list[i]);
	return r;
}
