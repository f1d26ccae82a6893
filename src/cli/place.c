/* SPDX-License-Identifier: MIT */
#include "cli/place.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/runtime.h"

#define UUID_LEN 36

static bool to_uuid(const char *text, char ret[UUID_LEN + 1])
{
	if (strlen(text) != UUID_LEN)
		return false;
	for (int i = 0; i < UUID_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		ret[i] = (char)tolower((unsigned char)text[i]);
	}
	ret[UUID_LEN] = '\0';
	return true;
}

int place_of(const char *uuid_or_path, char ret[PATH_MAX], struct trn_error *err)
{
	char uuid[UUID_LEN + 1], cwd[PATH_MAX];
	int n;

	if (to_uuid(uuid_or_path, uuid))
		return base_runtime_socket(uuid, ret, sizeof(((struct sockaddr_un *)NULL)->sun_path), err);
	if (uuid_or_path[0] == '/')
		n = snprintf(ret, PATH_MAX, "%s", uuid_or_path);
	else if (getcwd(cwd, sizeof(cwd)))
		n = snprintf(ret, PATH_MAX, "%s/%s", cwd, uuid_or_path);
	else
		return trn_error_set(err, -errno, "NoFolder", "the working folder has no name: %s", strerror(errno));
	if (n >= PATH_MAX)
		return trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the path %.80s... is too long", uuid_or_path);
	return 0;
}
