/* SPDX-License-Identifier: MIT */
/* See include/tranche/error.h.  This file is compiled into libtranche too, so it uses libc only. */
#include "tranche/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * The sentence may quote what a peer sent: whatever could break a line or move a terminal's cursor is shown
 * as '?'.  Bytes above 0x7f stay, they are UTF-8.
 */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int trn_error_set(struct trn_error *err, int code, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->code)
		return code;
	err->code = code;
	err->name = name;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
		err->text[0] = '\0';
	va_end(ap);
	make_printable(err->text);
	return code;
}

void trn_error_prefix(struct trn_error *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	size_t len;
	va_list ap;

	if (!err || !err->code)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	make_printable(text);
	len = strlen(text);
	/* Move first, then fill the gap: both stay inside the buffer whatever their lengths are. */
	memmove(err->text + len, err->text, sizeof(err->text) - len);
	memcpy(err->text, text, len);
	err->text[sizeof(err->text) - 1] = '\0';
}

int trn_error_hint(struct trn_error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err || !err->code)
		return 0;
	if (err->hint[0])
		return err->code;
	va_start(ap, fmt);
	if (vsnprintf(err->hint, sizeof(err->hint), fmt, ap) < 0)
		err->hint[0] = '\0';
	va_end(ap);
	make_printable(err->hint);
	return err->code;
}
