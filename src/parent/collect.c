/* SPDX-License-Identifier: MIT */
/*
 * PoCL's cache has a folder for each program, XX/YYYY..., with program.bc and a folder for each kernel, in which there is
 * a folder for each work-group function.
 */
#include "parent/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define PROGRAM "program.bc"
#define MAX_DEPTH 4
#define MAX_ENTRIES 8192u

struct walk {
	struct parent_built *built;
	unsigned int entries;
	uint64_t bytes;
};

static int open_below(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* "XX/YYYY" of the first program that there is. */
static bool find_program(int cache, char *ret, size_t cap)
{
	int fd = open_below(cache, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd), *inner;
	struct dirent *e, *f;
	bool found = false;
	struct stat st;

	while (dir && !found && (e = readdir(dir))) {
		int below = e->d_name[0] == '.' ? -1 : open_below(cache, e->d_name);

		inner = below < 0 ? NULL : fdopendir(below);
		while (inner && !found && (f = readdir(inner))) {
			int n = snprintf(ret, cap, "%s/%s/" PROGRAM, e->d_name, f->d_name);

			found = f->d_name[0] != '.' && n > 0 && (size_t)n < cap &&
				fstatat(cache, ret, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
		}
		if (inner)
			closedir(inner);
	}
	if (dir)
		closedir(dir);
	if (found)
		*strrchr(ret, '/') = '\0';
	return found;
}

static int take_file(struct walk *w, int at, const char *path, const char *name)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t size = 0;
	int copy;

	if (fd < 0)
		return -errno;
	copy = parent_copy_to_memory(fd, PARENT_MAX_FILE, &size);
	if (copy < 0)
		return copy;
	w->bytes += size;
	if (w->bytes > PARENT_MAX_BUILT) {
		base_close(copy);
		return -E2BIG;
	}
	return parent_built_add(w->built, path, size, copy);
}

static int take_folder(struct walk *w, int at, const char *path, const char *name, int depth);

static int take(struct walk *w, int at, const char *path, const char *name, int depth)
{
	char full[512];
	struct stat st;

	if (w->entries++ == MAX_ENTRIES)
		return -E2BIG;
	if (snprintf(full, sizeof(full), "%s/%s", path, name) >= (int)sizeof(full) ||
	    fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -EINVAL;
	if (S_ISDIR(st.st_mode))
		return depth ? take_folder(w, at, full, name, depth - 1) : 0;
	/* When it was used is no part of it. */
	return S_ISREG(st.st_mode) && strcmp(name, "last_accessed") != 0 ? take_file(w, at, full, name) : 0;
}

static int take_folder(struct walk *w, int at, const char *path, const char *name, int depth)
{
	int fd = open_below(at, name), r = fd < 0 ? fd : 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (fd >= 0 && !dir) {
		base_close(fd);
		return -ENOMEM;
	}
	while (r == 0 && dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			r = take(w, fd, path, e->d_name, depth);
	if (dir)
		closedir(dir);
	return r;
}

int parent_collect(int cache, struct parent_built *b)
{
	struct walk w = { .built = b };
	char path[sizeof(b->program) + sizeof(PROGRAM)];

	if (!find_program(cache, path, sizeof(path)))
		return 0;
	if (strlen(path) >= sizeof(b->program))
		return -ENAMETOOLONG;
	strcpy(b->program, path); /* fits, see above */
	return take_folder(&w, cache, path, path, MAX_DEPTH);
}
