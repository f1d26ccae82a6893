/* SPDX-License-Identifier: MIT */
#include "parent/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "base/store_place.h"

/* ------------------------------------------------------------- its place */

/* A folder of ours that nobody else may write to. */
static int open_folder(int at, const char *name)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return TAKE_FD(fd);
}

static int make_folder(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_folder(at, name);
}

/* What nobody has locked was left by somebody who is dead. */
static void remove_leftovers(int tmp)
{
	int copy = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* from its beginning */
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_close_ int fd = -1;

		if (e->d_name[0] == '.')
			continue;
		fd = openat(tmp, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)base_rmtree(tmp, e->d_name);
	}
	if (dir)
		closedir(dir);
	else
		base_close(copy);
}

static int open_inside(struct parent_store *s)
{
	_cleanup_close_ int top = open_folder(AT_FDCWD, s->path);

	if (top < 0)
		return top;
	s->entries = make_folder(top, "entries");
	s->tmp = make_folder(top, "tmp");
	if (s->entries < 0)
		return s->entries;
	if (s->tmp < 0)
		return s->tmp;
	return faccessat(s->tmp, ".", W_OK, AT_EACCESS) < 0 || faccessat(s->entries, ".", W_OK, AT_EACCESS) < 0 ?
		       -errno :
		       0;
}

int parent_store_open(const char *path, uint64_t max_bytes, struct parent_store **ret, struct trn_error *err)
{
	struct parent_store *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		*s = (struct parent_store){ .path = strdup(path), .max_bytes = max_bytes, .entries = -1, .tmp = -1 };
		r = s->path ? base_store_make(s->path) : -ENOMEM;
		if (r == 0)
			r = open_inside(s);
	}
	if (r < 0) {
		parent_store_close(s);
		return trn_error_set(err, r, "NoStore", "programs are not stored in %s: %s", path,
				     r == -EPERM ? "others may write there" : strerror(-r));
	}
	remove_leftovers(s->tmp);
	*ret = s;
	return 0;
}

void parent_store_close(struct parent_store *s)
{
	if (!s)
		return;
	base_close(s->entries);
	base_close(s->tmp);
	free(s->path);
	free(s);
}

int parent_store_make_tmp(struct parent_store *s, char ret_name[64])
{
	for (int tries = 0; tries < 100; tries++) {
		_cleanup_close_ int fd = -1;
		struct stat st;
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		snprintf(ret_name, 64, "tmp/%016llx", (unsigned long long)random);
		if (mkdirat(s->tmp, ret_name + 4, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		fd = openat(s->tmp, ret_name + 4, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Somebody may have taken it for a leftover before it was locked. */
		if (fd >= 0 && flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
			return TAKE_FD(fd);
	}
	return -EAGAIN;
}

/* ------------------------------------------------------------ making room */

struct old {
	char name[2 * PARENT_DIGEST + 2]; /* ab/cdef... */
	struct timespec used;
	uint64_t bytes;
};

struct census {
	struct old *list;
	size_t nr, cap;
	uint64_t bytes;
};

static uint64_t size_of_entry(int shelf, const char *name)
{
	int fd = openat(shelf, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (uint64_t)st.st_blocks * 512;
	if (dir)
		closedir(dir);
	else
		base_close(fd);
	return sum;
}

static void count_entry(struct census *c, int shelf, const char *shelf_name, const char *name)
{
	struct old *o;
	struct stat st;

	if (fstatat(shelf, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || strlen(name) != 2 * PARENT_DIGEST - 2)
		return;
	if (c->nr == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;

		o = reallocarray(c->list, cap, sizeof(*o));
		if (!o)
			return;
		c->list = o;
		c->cap = cap;
	}
	o = &c->list[c->nr++];
	*o = (struct old){ .used = st.st_mtim, .bytes = size_of_entry(shelf, name) };
	snprintf(o->name, sizeof(o->name), "%.2s/%.62s", shelf_name, name);
	c->bytes += o->bytes;
}

static void count_shelf(struct census *c, int entries, const char *name)
{
	int fd = openat(entries, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			count_entry(c, fd, name, e->d_name);
	if (dir)
		closedir(dir);
	else
		base_close(fd);
}

static void count_all(struct census *c, int entries)
{
	int fd = openat(entries, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' && strlen(e->d_name) == 2)
			count_shelf(c, entries, e->d_name);
	if (dir)
		closedir(dir);
	else
		base_close(fd);
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct old *)a)->used, *y = &((const struct old *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Out of its place first, whole: who reads it has it open, and nobody sees a part of it. */
void parent_store_throw_away(struct parent_store *s, const char *entry)
{
	char grave[64], wants[PARENT_ENTRY_NAME + 8];
	_cleanup_close_ int fd = parent_store_make_tmp(s, grave);

	if (fd < 0)
		return;
	snprintf(wants, sizeof(wants), "%s.wants", entry);
	(void)unlinkat(s->entries, wants, 0);
	if (renameat(s->entries, entry, fd, "entry") < 0)
		log_debug("%s/entries/%s: %m", s->path, entry);
	(void)base_rmtree(s->tmp, grave + 4);
}

void parent_store_trim(struct parent_store *s)
{
	_cleanup_close_ int lock = openat(s->tmp, "../lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct census c = { 0 };

	/* Who holds it makes room for us, too. */
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return;
	/* Of workers that were killed, their helpers' folders. */
	remove_leftovers(s->tmp);
	count_all(&c, s->entries);
	if (c.bytes > s->max_bytes) {
		uint64_t goal = s->max_bytes - s->max_bytes / 8;

		qsort(c.list, c.nr, sizeof(*c.list), by_use);
		for (size_t i = 0; i < c.nr && c.bytes > goal; i++) {
			parent_store_throw_away(s, c.list[i].name);
			c.bytes -= c.list[i].bytes;
		}
	}
	free(c.list);
}
