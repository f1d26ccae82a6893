/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "tranche";
static _Atomic int log_level = BASE_LOG_WARNING;

void base_log_init(const char *program)
{
	static const char *const names[] = {
		[BASE_LOG_ERROR] = "error",
		[BASE_LOG_WARNING] = "warning",
		[BASE_LOG_INFO] = "info",
		[BASE_LOG_DEBUG] = "debug",
	};
	const char *wanted = getenv("TRANCHE_LOG");

	log_program = program;
	if (!wanted)
		return;
	for (int i = BASE_LOG_ERROR; i <= BASE_LOG_DEBUG; i++) {
		if (strcmp(wanted, names[i]) == 0) {
			atomic_store(&log_level, i);
			return;
		}
	}
	log_warning("TRANCHE_LOG=%s is not one of error, warning, info, debug", wanted);
}

void base_log(enum base_log_level level, const char *fmt, ...)
{
	int saved = errno;
	char line[1024];
	size_t len, start;
	va_list ap;
	int n;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;

	n = snprintf(line, sizeof(line), "%.64s: ", log_program);
	start = n > 0 ? (size_t)n : 0;
	errno = saved; /* for %m */
	va_start(ap, fmt);
	n = vsnprintf(line + start, sizeof(line) - start, fmt, ap);
	va_end(ap);
	len = start + (n > 0 ? (size_t)n : 0);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;

	/* The text may quote a peer: one log call is one line, without terminal escapes. */
	for (size_t i = start; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';

	/* One write, so that lines of several processes do not mix.  Nothing can be done when it fails. */
	if (write(STDERR_FILENO, line, len) < 0)
		errno = saved;
	errno = saved;
}

void base_log_error(enum base_log_level level, const struct trn_error *err)
{
	base_log(level, "%s", err->text[0] ? err->text : strerror(-err->code));
	if (err->hint[0])
		base_log(level, "hint: %s", err->hint);
}
