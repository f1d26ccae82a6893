/* SPDX-License-Identifier: MIT */
#include "base/store_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

char *base_store_chosen(const char *text)
{
	char *cwd, *path = NULL;

	if (*text == '/' || !strcmp(text, "none"))
		return strdup(text);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, text) < 0)
		path = NULL;
	free(cwd);
	return path;
}
