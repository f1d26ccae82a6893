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

/*
 * A guest's programs can read the memory of their executor: they get what drivers and libraries of the host's OpenCL go by,
 * and nothing else that this process was started with.  A name, or the beginning of names that ends with '_'.
 */
static const char *const for_guests[] = {
	"ASAN_OPTIONS", "CUDA_", "GPU_", "HIP_", "HOME", "HSA_", "HWLOC_", "LANG", "LC_", "LD_LIBRARY_PATH", "LLVM_", "NV_", "NVIDIA_",
	"OCL_", "OPENCL_", "PATH", "POCL_", "ROCR_", "TRANCHE_", "TSAN_OPTIONS", "UBSAN_OPTIONS", "XDG_", "ZE_",
};

static bool is_for_guests(const char *entry)
{
	for (size_t i = 0; i < sizeof(for_guests) / sizeof(for_guests[0]); i++) {
		size_t len = strlen(for_guests[i]);

		if (strncmp(entry, for_guests[i], len) == 0 && (for_guests[i][len - 1] == '_' || entry[len] == '='))
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

/* Those of environ that wanted() takes, with room for more. Return: how many there are, or -ENOMEM. */
static ssize_t copy(bool (*wanted)(const char *entry), size_t more, char ***ret)
{
	size_t nr = 0;
	char **env;

	while (environ[nr])
		nr++;
	env = calloc(nr + more + 1, sizeof(char *));
	if (!env)
		return -ENOMEM;
	nr = 0;
	for (char **e = environ; *e; e++) {
		if (!wanted(*e))
			continue;
		env[nr] = strdup(*e);
		if (!env[nr++]) {
			compute_environment_free(env);
			return -ENOMEM;
		}
	}
	*ret = env;
	return (ssize_t)nr;
}

static bool is_kept(const char *entry)
{
	return !is_changed(entry);
}

static bool is_kept_for_guests(const char *entry)
{
	return !is_changed(entry) && is_for_guests(entry);
}

int compute_environment_make(const char *folder, bool is_guest, char ***ret)
{
	char **env;
	ssize_t nr = copy(is_guest ? is_kept_for_guests : is_kept, NR_CHANGES + 1, &env);

	if (nr < 0)
		return (int)nr;
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

int compute_environment_for_guests(char ***ret)
{
	ssize_t nr = copy(is_for_guests, 0, ret);

	return nr < 0 ? (int)nr : 0;
}
