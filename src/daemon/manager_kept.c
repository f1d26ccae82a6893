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

static int path_of(struct daemon *d, const char *parent, const char *tail, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/kept/%s%s", d->config->runtime_dir, parent, tail);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

json_t *daemon_kept_load(struct daemon *d, const char *parent)
{
	json_t *kept = NULL, *boot = boot_id();
	char path[PATH_MAX];

	if (path_of(d, parent, ".json", path) >= 0)
		kept = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(kept) || !json_equal(json_object_get(kept, "boot_id"), boot)) {
		json_decref(kept);
		kept = json_object();
	}
	json_decref(boot);
	return kept;
}

int daemon_kept_save(struct daemon *d, const char *parent, json_t *kept, struct trn_error *err)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int r = 0;

	json_object_set_new(kept, "boot_id", boot_id());
	snprintf(path, sizeof(path), "%s/kept", d->config->runtime_dir);
	if (mkdir(d->config->runtime_dir, 0755) < 0 && errno != EEXIST)
		r = -errno;
	else if (mkdir(path, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r >= 0)
		r = path_of(d, parent, ".json", path);
	if (r >= 0)
		r = path_of(d, parent, ".new", temporary);
	if (r >= 0 && json_dump_file(kept, temporary, 0) < 0)
		r = errno ? -errno : -EIO;
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	trn_error_set(err, r, "DiskFailed", "cannot write below %.100s/kept: %s", d->config->runtime_dir, strerror(-r));
	trn_error_hint(err, "look at the runtime directory: its space and its rights");
	return r;
}
