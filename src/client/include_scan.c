/* SPDX-License-Identifier: MIT */
/* Reading texts: include directives, options, paths. */
#include <string.h>

#include "client/headers.h"

/* ---------------------------------------------------------- directives */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len && is_blank(text[at]))
		at++;
	return at;
}

static bool is_file_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-+./", c);
}

static void set_name(struct client_include *inc, const char *name, size_t len)
{
	if (len >= sizeof(inc->name) || memchr(name, '\0', len))
		len = 0;
	memcpy(inc->name, name, len);
	inc->name[len] = '\0';
}

/* In M2S(INCLUDE_PATH/inc_vendor.h) that is INCLUDE_PATH/inc_vendor.h: the first run of such letters with a dot in it. */
static void guess_name(struct client_include *inc, const char *p, const char *end)
{
	set_name(inc, "", 0);
	while (p < end) {
		const char *start = p;

		while (p < end && *p && is_file_char(*p))
			p++;
		if (memchr(start, '.', (size_t)(p - start))) {
			set_name(inc, start, (size_t)(p - start));
			return;
		}
		if (p < end)
			p++;
	}
}

/* p: behind the word include. */
static bool read_operand(const char *p, const char *end, struct client_include *ret)
{
	char close = p < end && *p == '"' ? '"' : '>';
	const char *stop;

	if (p == end)
		return false;
	if (*p != '"' && *p != '<') {
		ret->kind = CLIENT_INCLUDE_MACRO;
		guess_name(ret, p, end);
		return true;
	}
	p++;
	stop = memchr(p, close, (size_t)(end - p));
	if (!stop)
		return false;
	ret->kind = close == '"' ? CLIENT_INCLUDE_QUOTED : CLIENT_INCLUDE_ANGLE;
	set_name(ret, p, (size_t)(stop - p));
	return ret->name[0];
}

static bool read_directive(const char *text, size_t at, size_t end, struct client_include *ret)
{
	static const char word[] = "include";
	const size_t len = sizeof(word) - 1;

	at = skip_blanks(text, end, at);
	if (at == end || text[at] != '#')
		return false;
	at = skip_blanks(text, end, at + 1);
	if (end - at < len || memcmp(text + at, word, len) != 0)
		return false;
	at += len;
	if (end - at >= 5 && memcmp(text + at, "_next", 5) == 0)
		at += 5;
	at = skip_blanks(text, end, at);
	return read_operand(text + at, text + end, ret);
}

bool client_include_next(const char *text, size_t len, size_t *at, struct client_include *ret)
{
	while (*at < len) {
		const char *newline = memchr(text + *at, '\n', len - *at);
		size_t start = *at, end = newline ? (size_t)(newline - text) : len;

		*at = newline ? end + 1 : len;
		if (end > start && text[end - 1] == '\r')
			end--;
		if (read_directive(text, start, end, ret))
			return true;
	}
	return false;
}

/* -------------------------------------------------------------- options */

bool client_option_next(const char **p, char *out, size_t cap)
{
	const char *s = *p + strspn(*p, " \t\r\n");
	size_t n = 0;
	char quote = '\0';

	if (!*s) {
		*p = s;
		return false;
	}
	for (; *s && (quote || !strchr(" \t\r\n", *s)); s++) {
		char c = *s;

		if (c == '\\' && s[1])
			c = *++s;
		else if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? '\0' : c;
			continue;
		}
		if (n + 1 < cap)
			out[n++] = c;
	}
	out[n] = '\0';
	*p = s;
	return true;
}

/* ---------------------------------------------------------------- paths */

/* One component onto the path out, whose length is n. Return: its new length, or 0 when it is too long. */
static size_t add_component(char *out, size_t n, const char *name, size_t len)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return n;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		while (n > 1 && out[n - 1] != '/')
			n--;
		return n > 1 ? n - 1 : 1;
	}
	if (n + (n > 1) + len + 1 > PATH_MAX)
		return 0;
	if (n > 1)
		out[n++] = '/';
	memcpy(out + n, name, len);
	return n + len;
}

static size_t add_components(char *out, size_t n, const char *path)
{
	while (n && *path) {
		size_t len = strcspn(path, "/");

		n = add_component(out, n, path, len);
		path += len + (path[len] == '/');
	}
	return n;
}

bool client_path_join(const char *folder, const char *path, char out[static PATH_MAX])
{
	size_t n = 1;

	if (path[0] != '/' && !folder)
		return false;
	out[0] = '/';
	if (path[0] != '/')
		n = add_components(out, n, folder);
	n = add_components(out, n, path);
	if (!n)
		return false;
	out[n] = '\0';
	return true;
}
