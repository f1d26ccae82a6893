/* SPDX-License-Identifier: MIT */
/*
 * The way down holds one descriptor a level, so it stops at a depth; what lies deeper is moved up beside the folder
 * that is being removed, and comes next.
 */
#include "base/rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define MAX_DEPTH 32

struct job {
	int top; /* the folder that holds what is removed; not owned */
	const char *name;
	unsigned int moved; /* folders that were moved up */
	int result; /* first error */
};

static void note(struct job *job, int r)
{
	if (r < 0 && r != -ENOENT && !job->result)
		job->result = r;
}

static DIR *open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	(void)fchmod(fd, 0700); /* entries of a folder without the w bit cannot be removed */
	dir = fdopendir(fd);
	if (!dir)
		base_close(fd);
	return dir;
}

static void moved_name(const struct job *job, unsigned int n, char buf[300])
{
	snprintf(buf, 300, "%.200s.deep-%u", job->name, n);
}

static void move_up(struct job *job, int dirfd, const char *name)
{
	char buf[300];

	moved_name(job, job->moved, buf);
	if (renameat(dirfd, name, job->top, buf) < 0)
		note(job, -errno);
	else
		job->moved++;
}

static void remove_entry(struct job *job, int dirfd, const char *name, int depth);

/* Return: false when the folder could not be read: then it may still be an empty one. */
static bool empty_dir(struct job *job, int parent, const char *name, int depth)
{
	DIR *dir = open_dir(parent, name);
	struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(job, dirfd(dir), entry->d_name, depth + 1);
	closedir(dir);
	return true;
}

static void remove_entry(struct job *job, int dirfd, const char *name, int depth)
{
	if (unlinkat(dirfd, name, 0) == 0)
		return;
	if (errno != EISDIR && errno != EPERM) {
		note(job, -errno);
		return;
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return;
	if (errno == EBUSY || errno == ENOTDIR) { /* a mount, or a file that may not be removed */
		note(job, -errno);
		return;
	}
	if (depth >= MAX_DEPTH) {
		move_up(job, dirfd, name);
		return;
	}
	empty_dir(job, dirfd, name, depth);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		note(job, -errno);
}

int base_rmtree(int dirfd, const char *name)
{
	struct job job = { .name = name };
	_cleanup_close_ int top = -1;
	struct stat st;
	const char *slash = strrchr(name, '/');

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (slash) {
		char parent[4096];
		int n = snprintf(parent, sizeof(parent), "%.*s/", (int)(slash - name), name);

		if (n < 0 || (size_t)n >= sizeof(parent))
			return -ENAMETOOLONG;
		top = openat(dirfd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (top < 0)
			return -errno;
		job.name = slash + 1;
		job.top = top;
	} else {
		job.top = dirfd;
	}
	remove_entry(&job, job.top, job.name, 0);
	/* Each of these may move up more. */
	for (unsigned int i = 0; i < job.moved; i++) {
		char buf[300];

		moved_name(&job, i, buf);
		remove_entry(&job, job.top, buf, 0);
	}
	return job.result;
}
