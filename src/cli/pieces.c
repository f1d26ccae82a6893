/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/pieces.h"
#include "cli/config.h"

#define IN_BUILD_TREE "/src/cli/tranche"

static bool join(char ret[PATH_MAX], const char *folder, const char *name)
{
	return snprintf(ret, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static bool from_build_tree(struct pieces *p, const char *build)
{
	return join(p->device, build, "src/device/tranche-device") &&
	       join(p->driver, build, "src/opencl/libtranche-opencl.so") && access(p->device, X_OK) == 0;
}

/* The build folder that this very program lies in; an installed one lies in none. */
static bool own_build_tree(char ret[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	size_t tail = strlen(IN_BUILD_TREE);

	if (len < (ssize_t)tail)
		return false;
	ret[len] = '\0';
	if (strcmp(ret + len - tail, IN_BUILD_TREE))
		return false;
	ret[(size_t)len - tail] = '\0';
	return true;
}

static int check(const char *path, int mode, struct trn_error *err)
{
	if (access(path, mode) == 0)
		return 0;
	trn_error_set(err, -ENOENT, "PieceMissing", "%s is missing: %s", path, strerror(errno));
	return trn_error_hint(err, "build the whole tree, or install the package completely");
}

int pieces_find(struct pieces *ret, struct trn_error *err)
{
	const char *given = getenv("TRANCHE_PIECES");
	char build[PATH_MAX];
	int r;

	if (given)
		from_build_tree(ret, given);
	else if (!own_build_tree(build) || !from_build_tree(ret, build))
		if (!join(ret->device, TRANCHE_LIBEXECDIR, "tranche-device") ||
		    !join(ret->driver, TRANCHE_DRIVERDIR, "libtranche-opencl.so"))
			return trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the install path is too long");
	r = check(ret->device, X_OK, err);
	return r ? r : check(ret->driver, R_OK, err);
}
