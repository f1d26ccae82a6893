/* SPDX-License-Identifier: MIT */
#include "executor/quick_compile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "executor/precompile.h"

/*
 * PoCL does not tell a program's folder.  A helper with an empty cache of its own leaves just that one there; it lies in
 * every cache at the same place.
 */
static int compile_apart(const char *cache, uint32_t host_device, bool is_quick, const struct exec_build_text *source,
			 const char *options, char ret[EXEC_POCL_FOLDER])
{
	char own[PATH_MAX];
	int r = -ENOENT;

	if (snprintf(own, sizeof(own), "%s/quick-XXXXXX", cache) >= (int)sizeof(own) || !mkdtemp(own))
		return -EIO;
	if (exec_precompile_apart(host_device, is_quick, source, options, own) == 0 && exec_pocl_find_program(own, ret))
		r = is_quick ? exec_pocl_move_program(own, cache, ret) : 0;
	exec_pocl_remove_cache(own);
	return r;
}

int exec_quick_compile(uint32_t host_device, const struct exec_build_text *source, const char *options,
		       struct exec_quick_folders *ret)
{
	const char *cache = getenv("POCL_CACHE_DIR");
	int r;

	if (!cache)
		return -ENOENT;
	r = compile_apart(cache, host_device, true, source, options, ret->quick);
	return r < 0 ? r : compile_apart(cache, host_device, false, source, options, ret->main);
}
