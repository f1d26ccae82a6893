/* SPDX-License-Identifier: MIT */
#include "executor/quick_compile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "executor/broker.h"
#include "executor/precompile.h"
#include "tranche/wire/parent.h"

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

static int compile_by_helper(uint32_t host_device, const struct exec_build_request *q, struct exec_quick_folders *ret)
{
	_cleanup_free_ char *options = exec_build_options(q->options);
	const char *cache = getenv("POCL_CACHE_DIR");
	int r;

	if (!cache || !options)
		return -ENOENT;
	r = compile_apart(cache, host_device, true, &q->source, options, ret->quick);
	return r < 0 ? r : compile_apart(cache, host_device, false, &q->source, options, ret->main);
}

/* The broker tells the folder; what it sends is in the cache then. */
static int ask_broker(struct executor *ex, uint32_t device, const void *request, size_t len,
		      char ret[EXEC_POCL_FOLDER])
{
	struct exec_broker_answer a = { 0 };
	int r = exec_broker_ask(ex, device, request, len, &a);

	if (r < 0)
		return r;
	if (snprintf(ret, EXEC_POCL_FOLDER, "%s", a.program) >= EXEC_POCL_FOLDER || !a.program[0])
		r = -ENOENT;
	exec_broker_answer_finish(&a);
	return r;
}

int exec_quick_compile(struct executor *ex, const void *request, size_t len, const struct exec_build_request *q,
		       struct exec_quick_folders *ret)
{
	int r = ask_broker(ex, TRNC_BROKER_QUICK, request, len, ret->quick);

	if (r == 0)
		r = ask_broker(ex, TRNC_BROKER_MAIN, request, len, ret->main);
	return r == 0 ? 0 : compile_by_helper(ex->host_device, q, ret);
}
