/* SPDX-License-Identifier: MIT */
#include "parents/compute/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tranche/wire/executor.h"

/* value NULL: a folder of the session; "": the variable is taken away */
static const struct change {
	const char *name;
	const char *value;
} changes[] = {
	{ "TRANCHE_EXECUTOR", "1" }, /* our own OpenCL driver, should the host's loader find it, lists nothing then */
	{ "TRANCHE_DEVICE", "" },
	/* What an executor compiled is never used by anybody else. */
	{ "POCL_CACHE_DIR", NULL },
	{ "XDG_CACHE_HOME", NULL },
	{ "TMPDIR", NULL },
	{ TRNC_EXEC_GUEST, "" },
};

#define NR_CHANGES (sizeof(changes) / sizeof(changes[0]))

static bool is_changed(const char *entry)
{
	for (size_t i = 0; i < NR_CHANGES; i++) {
		size_t len = strlen(changes[i].name);

		if (strncmp(entry, changes[i].name, len) == 0 && entry[len] == '=')
			return true;
	}
	return false;
}

void compute_environment_free(char **env)
{
	for (char **e = env; e && *e; e++)
		free(*e);
	free(env);
}

int compute_environment_make(const char *folder, bool is_guest, char ***ret)
{
	size_t nr = 0;
	char **env;

	while (environ[nr])
		nr++;
	env = calloc(nr + NR_CHANGES + 2, sizeof(char *));
	if (!env)
		return -ENOMEM;
	nr = 0;
	for (char **e = environ; *e; e++) {
		if (is_changed(*e))
			continue;
		env[nr] = strdup(*e);
		if (!env[nr++])
			goto no_memory;
	}
	for (size_t i = 0; i < NR_CHANGES; i++) {
		const char *value = changes[i].value ? changes[i].value : folder;

		if (!*value)
			continue;
		if (asprintf(&env[nr], "%s=%s", changes[i].name, value) < 0) {
			env[nr] = NULL;
			goto no_memory;
		}
		nr++;
	}
	/* Its executor, and who compiles for that, goes by it. */
	if (is_guest) {
		env[nr] = strdup(TRNC_EXEC_GUEST "=1");
		if (!env[nr])
			goto no_memory;
	}
	*ret = env;
	return 0;

no_memory:
	compute_environment_free(env);
	return -ENOMEM;
}
