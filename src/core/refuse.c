/* SPDX-License-Identifier: MIT */
/* Every refusal of the core has a sentence and a hint; this keeps it one statement. */
#include <stdarg.h>
#include <stdio.h>

#include "core/core_priv.h"

int core_refuse(struct trn_error *err, int code, const char *name, const char *hint, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	if (!err || err->code)
		return code;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	trn_error_set(err, code, name, "%s", text);
	trn_error_hint(err, "%s", hint);
	return code;
}
