/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/pieces.h"
#include "cli/config.h"

/* Where programs that use this are in a build tree. */
static const char *const in_build_tree[] = { "/src/cli/tranche", "/src/ctl/tranche-ctl" };

static bool join(char ret[PATH_MAX], const char *folder, const char *name)
{
	return snprintf(ret, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static bool from_build_tree(struct pieces *p, const char *build)
{
	return join(p->device, build, "src/device/tranche-device") &&
	       join(p->driver, build, "src/opencl/libtranche-opencl.so") && access(p->device, X_OK) == 0;
}

/* Cuts ret where tail begins, if it ends with tail. */
static bool cut(char *path, const char *tail)
{
	size_t len = strlen(path), tail_len = strlen(tail);

	if (len < tail_len || strcmp(path + len - tail_len, tail))
		return false;
	path[len - tail_len] = '\0';
	return true;
}

/* The build folder that this very program lies in; an installed one lies in none. */
static bool own_build_tree(char ret[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);

	if (len < 0)
		return false;
	ret[len] = '\0';
	for (size_t i = 0; i < sizeof(in_build_tree) / sizeof(in_build_tree[0]); i++)
		if (cut(ret, in_build_tree[i]))
			return true;
	return false;
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

/* One program: by its place in a build tree, or the folder in which it is installed. */
static int find_one(const char *in_build, const char *folder, const char *name, char ret[PATH_MAX], struct trn_error *err)
{
	const char *given = getenv("TRANCHE_PIECES");
	char build[PATH_MAX];

	if (given && join(ret, given, in_build))
		return check(ret, X_OK, err);
	if (own_build_tree(build) && join(ret, build, in_build) && access(ret, X_OK) == 0)
		return 0;
	if (!join(ret, folder, name))
		return trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the install path is too long");
	return check(ret, X_OK, err);
}

int pieces_find_ctl(char ret[PATH_MAX], struct trn_error *err)
{
	return find_one("src/ctl/tranche-ctl", TRANCHE_LIBEXECDIR, "tranche-ctl", ret, err);
}

int pieces_find_tranche(char ret[PATH_MAX], struct trn_error *err)
{
	return find_one("src/cli/tranche", TRANCHE_BINDIR, "tranche", ret, err);
}

int pieces_find_executor(char ret[PATH_MAX], struct trn_error *err)
{
	return find_one("src/executor/tranche-executor", TRANCHE_LIBEXECDIR, "tranche-executor", ret, err);
}
