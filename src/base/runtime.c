/* SPDX-License-Identifier: MIT */
#include "base/runtime.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
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

static int take_socket(const char *path, char *ret, size_t len, struct trn_error *err)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (strlen(path) < (len < most ? len : most)) {
		memcpy(ret, path, strlen(path) + 1);
		return 0;
	}
	trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the path %.60s... is too long for a socket", path);
	return trn_error_hint(err, "a socket's path has at most %zu bytes", most - 1);
}

int base_runtime_api_socket(const char *given, char *ret, size_t len, struct trn_error *err)
{
	const char *variable = getenv("TRANCHE_SOCKET"), *folder = getenv("XDG_RUNTIME_DIR");
	char own[PATH_MAX];

	if (given)
		return take_socket(given, ret, len, err);
	if (variable && *variable)
		return take_socket(variable, ret, len, err);
	if (folder && folder[0] == '/' && snprintf(own, sizeof(own), "%s/tranche/api.sock", folder) < PATH_MAX &&
	    access(own, F_OK) == 0)
		return take_socket(own, ret, len, err);
	return take_socket("/run/tranche/api.sock", ret, len, err);
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
