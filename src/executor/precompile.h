/* SPDX-License-Identifier: MIT */
/*
 * Compiling where no compile broker does it (broker.h), in a process of its own, too, for the reasons in helper.h.  The
 * helper is this program again in the executor's sandbox: it builds the source first and ends; the executor's own build
 * then finds the result in the session's cache.  Nothing of it outlives the session.
 */
#ifndef EXECUTOR_PRECOMPILE_H
#define EXECUTOR_PRECOMPILE_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/build.h"

/*
 * Builds the source for the host's device of that index. Blocks. What goes wrong on the way (no memory, no process, an
 * error in the source) is left to the executor's own build. Return: 0, or the wait status of a helper whose compiler
 * ended its process.
 */
int exec_precompile(uint32_t host_device, const struct exec_build_text *source, const char *options);

/* The same with a cache folder of its own, for the host's device or its quick one (quick.h), in a helper that leaves the
 * processors to everybody else. */
int exec_precompile_apart(uint32_t host_device, bool is_quick, const struct exec_build_text *source,
			  const char *options, const char *cache);

/* The helper: argv is { program, "--compile", file, index of the host's device, options, "main" or "quick" }.
 * Return: exit status. */
int exec_precompile_main(int argc, char **argv);

#endif
