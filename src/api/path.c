/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

static char *add_escaped(char *end, const char *word)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *s = (const unsigned char *)word; *s; s++) {
		if (*s < 0x80 && (isalnum(*s) || strchr("-._~", *s))) {
			*end++ = (char)*s;
			continue;
		}
		*end++ = '%';
		*end++ = digits[*s >> 4];
		*end++ = digits[*s & 15];
	}
	return end;
}

char *api_path(const char *literal, ...)
{
	size_t len = strlen(literal) + 1;
	const char *word;
	char *path, *end;
	bool is_word = true;
	va_list ap;

	va_start(ap, literal);
	while ((word = va_arg(ap, const char *)))
		len += 3 * strlen(word);
	va_end(ap);
	path = malloc(len);
	if (!path)
		return NULL;
	end = stpcpy(path, literal);
	va_start(ap, literal);
	for (; (word = va_arg(ap, const char *)); is_word = !is_word)
		end = is_word ? add_escaped(end, word) : stpcpy(end, word);
	va_end(ap);
	*end = '\0';
	return path;
}
