/* SPDX-License-Identifier: MIT */
/* Where tranched is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"

#define SYSTEM_SOCKET "/run/tranche/api.sock"

static int take(const char *path, char ret[PATH_MAX], struct trn_error *err)
{
	if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		memcpy(ret, path, strlen(path) + 1);
		return 0;
	}
	trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the path %.60s... is too long for a socket", path);
	return trn_error_hint(err, "a socket's path has at most 107 bytes");
}

int api_find_socket(const char *given, char ret[PATH_MAX], struct trn_error *err)
{
	const char *variable = getenv("TRANCHE_SOCKET"), *folder = getenv("XDG_RUNTIME_DIR");
	char own[PATH_MAX];

	if (given)
		return take(given, ret, err);
	if (variable && *variable)
		return take(variable, ret, err);
	if (folder && folder[0] == '/' && snprintf(own, sizeof(own), "%s/tranche/api.sock", folder) < PATH_MAX &&
	    access(own, F_OK) == 0)
		return take(own, ret, err);
	return take(SYSTEM_SOCKET, ret, err);
}
