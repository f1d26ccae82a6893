/* SPDX-License-Identifier: MIT */
/*
 * RUNTIME/kept/NAME.json: what is known of a parent as long as the host runs: its schedule, and that its devices were started.
 * It carries the boot's id, since a runtime directory that somebody chose may outlive a boot.  No fsync: it need not.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/manager_priv.h"

static json_t *boot_id(void)
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		n = 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return json_string(text);
}

/* The runtime directory may be that of the processes' user: what is found in it is ours, or not used. */
static int open_folder(struct daemon *d)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/kept", d->config->runtime_dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & 022) ? TAKE_FD(fd) : -EPERM;
}

static int make_folder(struct daemon *d)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/kept", d->config->runtime_dir);
	if (mkdir(d->config->runtime_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_folder(d);
}

static int name_of(const char *parent, const char *tail, char name[NAME_MAX + 1])
{
	int n = snprintf(name, NAME_MAX + 1, "%s%s", parent, tail);

	return n < 0 || n > NAME_MAX || strchr(name, '/') ? -ENAMETOOLONG : 0;
}

static json_t *load(struct daemon *d, const char *parent)
{
	_cleanup_close_ int folder = open_folder(d), file = -1;
	char name[NAME_MAX + 1];

	if (folder >= 0 && name_of(parent, ".json", name) >= 0)
		file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return file < 0 ? NULL : json_loadfd(file, JSON_REJECT_DUPLICATES, NULL);
}

json_t *daemon_kept_load(struct daemon *d, const char *parent)
{
	json_t *kept = load(d, parent), *boot = boot_id();

	if (!json_is_object(kept) || !json_equal(json_object_get(kept, "boot_id"), boot)) {
		json_decref(kept);
		kept = json_object();
	}
	json_decref(boot);
	return kept;
}

static int write_new(int folder, const char *name, json_t *kept)
{
	_cleanup_close_ int file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (file < 0)
		return -errno;
	errno = 0;
	return json_dumpfd(kept, file, 0) < 0 ? -(errno ? errno : EIO) : 0;
}

int daemon_kept_save(struct daemon *d, const char *parent, json_t *kept, struct trn_error *err)
{
	_cleanup_close_ int folder = make_folder(d);
	char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
	int r = folder < 0 ? folder : 0;

	json_object_set_new(kept, "boot_id", boot_id());
	if (r >= 0)
		r = name_of(parent, ".json", name);
	if (r >= 0)
		r = name_of(parent, ".new", temporary);
	if (r >= 0)
		r = write_new(folder, temporary, kept);
	if (r >= 0 && renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	trn_error_set(err, r, "DiskFailed", "cannot write below %.100s/kept: %s", d->config->runtime_dir, strerror(-r));
	trn_error_hint(err, "look at the runtime directory: its space and its rights");
	return r;
}
