/* SPDX-License-Identifier: MIT */
#include "base/store_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

char *base_store_place(void)
{
	const char *place = getenv("TRANCHE_STORE"), *above = getenv("XDG_CACHE_HOME"), *below = "";
	char *path;

	if (place)
		return *place == '/' ? strdup(place) : NULL;
	if (!above || *above != '/') {
		above = getenv("HOME");
		below = "/.cache";
	}
	if (!above || *above != '/' || asprintf(&path, "%s%s/tranche/programs", above, below) < 0)
		return NULL;
	return path;
}

static int make_one(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int base_store_make(const char *place)
{
	_cleanup_free_ char *path = strdup(place);
	struct stat st;
	int r = path ? 0 : -ENOMEM;

	for (char *p = path ? path + 1 : NULL; r == 0 && (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		r = make_one(path);
	}
	if (r == 0)
		r = make_one(place);
	if (r < 0)
		return r;
	if (stat(place, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return access(place, W_OK | X_OK) < 0 ? -errno : 0;
}

static char *whole_path(const char *text)
{
	_cleanup_free_ char *cwd = NULL;
	char *path;

	if (*text == '/' || !strcmp(text, "none"))
		return strdup(text);
	cwd = getcwd(NULL, 0);
	return cwd && asprintf(&path, "%s/%s", cwd, text) >= 0 ? path : NULL;
}

int base_store_choose(const char *text, char **ret_place, struct trn_error *err)
{
	char *place = whole_path(text);
	int r = !place ? -errno : *place == '/' ? base_store_make(place) : 0;

	if (r == 0) {
		*ret_place = place;
		return 0;
	}
	free(place);
	trn_error_set(err, r, "NoStore", "programs cannot be kept in %s: %s", text,
		      r == -EPERM ? "it is not this user's alone" : strerror(-r));
	return trn_error_hint(err, "name a folder with --store that only you may write to, or none");
}
