/* SPDX-License-Identifier: MIT */
/* Which nodes in /dev/accel are Tranche's. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "client/accel.h"

#define FOLDER "/dev/accel"
#define PREFIX "accel"
#define DRIVER "tranche"

static int is_node_name(const struct dirent *entry)
{
	return strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0;
}

static int compare_numbers(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static bool is_driver_ours(int fd)
{
	char name[sizeof(DRIVER)] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return client_accel_libc.ioctl(fd, DRM_IOCTL_VERSION, &version) == 0 && version.name_len == strlen(DRIVER) &&
	       strcmp(name, DRIVER) == 0;
}

/* What cannot be opened cannot be asked; the system says whose it is. */
static bool is_module_ours(const char *name)
{
	_cleanup_free_ char *link = NULL;
	char target[PATH_MAX];
	const char *driver;
	ssize_t n;

	if (asprintf(&link, "/sys/class/accel/%s/device/driver", name) < 0) {
		link = NULL;
		return false;
	}
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	driver = strrchr(target, '/');
	return driver && strncmp(driver + 1, DRIVER, strlen(DRIVER)) == 0;
}

static int look_at(const char *name, int (*add)(void *data, const char *path), void *data, char **ret_denied)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&path, FOLDER "/%s", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = client_accel_libc.open(path);
	if (fd >= 0)
		return is_driver_ours(fd) ? add(data, path) : 0;
	if ((errno == EACCES || errno == EPERM) && !*ret_denied && is_module_ours(name))
		*ret_denied = TAKE_PTR(path);
	return 0;
}

int client_accel_find(int (*add)(void *data, const char *path), void *data, char **ret_denied)
{
	struct dirent **entries;
	int n = scandir(FOLDER, &entries, is_node_name, compare_numbers);
	int r = 0;

	*ret_denied = NULL;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = look_at(entries[i]->d_name, add, data, ret_denied);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return r;
}
