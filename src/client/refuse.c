/* SPDX-License-Identifier: MIT */
#include "client/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int client_refuse(struct trn_error *err, int code, const char *name, const char *hint, const char *fmt, ...)
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

int client_refuse_memory(struct trn_error *err)
{
	return client_refuse(err, -ENOMEM, "OutOfMemory", "raise the program's memory limit or end other programs",
			     "the program is out of memory");
}
