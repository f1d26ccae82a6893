/* SPDX-License-Identifier: MIT */
#include "base/runtime.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int base_runtime_socket(const char *uuid, char *ret, size_t len, struct trn_error *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int n;

	if (!base || base[0] != '/')
		base = geteuid() == 0 ? "/run" : NULL;
	if (!base) {
		trn_error_set(err, -ENOENT, "NoRuntimeDir", "there is no folder for sockets: XDG_RUNTIME_DIR is not set");
		return trn_error_hint(err, "give the path of the socket");
	}
	n = snprintf(ret, len, "%s/tranche/%s.sock", base, uuid);
	if (n < 0 || (size_t)n >= len) {
		trn_error_set(err, -ENAMETOOLONG, "NoRuntimeDir", "the path %s/tranche/%s.sock is too long for a socket", base, uuid);
		return trn_error_hint(err, "give another path for the socket");
	}
	return 0;
}

int base_runtime_make_folder(const char *path, struct trn_error *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (!slash || slash == path || snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path) >= PATH_MAX)
		return 0;
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		return 0;
	trn_error_set(err, -errno, "NoRuntimeDir", "cannot make the folder %s: %s", folder, strerror(errno));
	return trn_error_hint(err, "make it, or give another path for the socket");
}
