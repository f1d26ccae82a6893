/* SPDX-License-Identifier: MIT */
#include "cli/sysfs_mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* --- the namespace --- */

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* This user is root inside, and nobody else is there. */
static int enter_user(void)
{
	char uids[64], gids[64];
	int r;

	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned int)geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned int)getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	r = write_file("/proc/self/setgroups", "deny");
	if (r == 0)
		r = write_file("/proc/self/uid_map", uids);
	return r ? r : write_file("/proc/self/gid_map", gids);
}

int sysfs_mounts_enter(struct trn_error *err)
{
	int r = unshare(CLONE_NEWNS) < 0 ? -errno : 0;

	if (r == -EPERM)
		r = enter_user();
	if (r == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	trn_error_set(err, r, "NoNamespace", "cannot get mounts of our own: %s", strerror(-r));
	return trn_error_hint(
		err, "run it as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1");
}

/* --- folders --- */

int sysfs_mounts_bind(const char *from, const char *to, struct trn_error *err)
{
	if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0)
		return 0;
	return trn_error_set(err, -errno, "CannotMount", "cannot show %.100s at %.100s: %s", from, to, strerror(errno));
}

static int make_link(int from, const char *name, const char *to)
{
	char text[PATH_MAX];
	ssize_t len = readlinkat(from, name, text, sizeof(text) - 1);

	if (len < 0)
		return -errno;
	text[len] = '\0';
	return symlink(text, to) < 0 ? -errno : 0;
}

/* The place that a bind mount needs. */
static int make_place(const char *to, bool is_folder)
{
	_cleanup_close_ int fd = -1;

	if (is_folder)
		return mkdir(to, 0755) < 0 ? -errno : 0;
	fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	return fd < 0 ? -errno : 0;
}

/* One entry of the folder that is now covered; from: that folder. */
static int bring_back(int from, const char *parent, const char *name, struct trn_error *err)
{
	char old[64 + NAME_MAX], new[PATH_MAX];
	struct stat st;
	int r;

	snprintf(old, sizeof(old), "/proc/self/fd/%d/%s", from, name);
	snprintf(new, sizeof(new), "%s/%s", parent, name);
	r = fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == -ENOENT) /* it has just gone */
		return 0;
	if (r < 0)
		return trn_error_set(err, r, "CannotMount", "cannot look at %s: %s", new, strerror(-r));
	r = S_ISLNK(st.st_mode) ? make_link(from, name, new) : make_place(new, S_ISDIR(st.st_mode));
	if (r < 0)
		return trn_error_set(err, r, "CannotMount", "cannot make %s: %s", new, strerror(-r));
	return S_ISLNK(st.st_mode) ? 0 : sysfs_mounts_bind(old, new, err);
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Covers the folder with one in memory that has the same in it. */
static int cover(const char *folder, struct trn_error *err)
{
	DIR *old = opendir(folder);
	struct dirent *e;
	int r = 0;

	if (!old)
		return trn_error_set(err, -errno, "CannotMount", "cannot read %s: %s", folder, strerror(errno));
	if (mount("tranche", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
		r = trn_error_set(err, -errno, "CannotMount", "cannot mount at %s: %s", folder, strerror(errno));
	while (r == 0 && (e = readdir(old)))
		if (!is_dots(e->d_name))
			r = bring_back(dirfd(old), folder, e->d_name, err);
	closedir(old);
	return r;
}

int sysfs_mounts_make(const char *parent, const char *name, struct trn_error *err)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", parent, name) >= PATH_MAX)
		return trn_error_set(err, -ENAMETOOLONG, "CannotMount", "the name %.60s... is too long", name);
	if (access(path, F_OK) == 0)
		return 1;
	if (mkdir(path, 0755) == 0)
		return 0;
	r = cover(parent, err);
	if (r == 0 && mkdir(path, 0755) < 0)
		r = trn_error_set(err, -errno, "CannotMount", "cannot make %s: %s", path, strerror(errno));
	return r;
}
