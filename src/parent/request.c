/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/blob.h"
#include "parent/key.h"
#include "tranche/wire/parent.h"

#define MAX_ITEMS 8192u

static int take(struct parent_request *q, const struct base_blob_item *it)
{
	switch (it->tag) {
	case TRNC_TAG_OP:
		return base_blob_u32(it, &q->op) ? 0 : -EINVAL;
	case TRNC_TAG_SOURCE:
		q->source = (const char *)it->data;
		q->source_len = it->len;
		return 0;
	case TRNC_TAG_OPTIONS:
		q->options = base_blob_str(it);
		return q->options ? 0 : -EINVAL;
	case TRNC_TAG_CWD:
		q->cwd = base_blob_str(it);
		return q->cwd ? 0 : -EINVAL;
	case TRNC_TAG_HEADER:
		return 0;
	case TRNC_TAG_FILE:
		/* Where it is taken apart it is checked, too (executor/travel.h). */
		return 0;
	default:
		/* Other programs and binaries are known to their executor alone. */
		return -EOPNOTSUPP;
	}
}

int parent_request_parse(const void *bytes, size_t len, struct parent_request *ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	unsigned int nr = 0;
	int err = 0;

	*ret = (struct parent_request){ .bytes = bytes, .len = len, .options = "" };
	base_blob_reader_init(&r, bytes, len);
	while (err == 0 && base_blob_next(&r, &it))
		err = ++nr > MAX_ITEMS ? -EINVAL : take(ret, &it);
	if (err < 0)
		return err;
	if (r.malformed)
		return -EINVAL;
	if (!ret->source_len || (ret->op != TRNC_OP_BUILD && ret->op != TRNC_OP_COMPILE))
		return -EOPNOTSUPP;
	return 0;
}

/* ----------------------------------------------------------- includes */

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Between a '#' and what follows; compilers skip zeros, too. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\0';
}

/* What stands after a '#', blanks skipped: is it a directive that reads a file, or something that we do not see through
 * (a comment, a line that goes on)? */
static bool directive_includes(const char *p, const char *end)
{
	static const char *const others[] = {
		"define", "undef", "if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif", "pragma",
		"line", "error", "warning", "unroll",
	};
	const char *name;
	size_t len;

	while (p < end && is_blank(*p))
		p++;
	for (name = p; p < end && is_name(*p);)
		p++;
	len = (size_t)(p - name);
	if (len == 0)
		/* "##", "#" alone, and a macro's text; not a comment or a continued line. */
		return p < end && (*p == '\\' || *p == '/' || *p == '?' || (unsigned char)*p >= 0x80);
	if (p < end && (*p == '\\' || *p == '?'))
		return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strlen(others[i]) == len && memcmp(others[i], name, len) == 0)
			return false;
	/* "#name" in a macro's text makes a string of an argument; only these read. */
	return (len >= 7 && memcmp(name, "include", 7) == 0) || (len == 6 && memcmp(name, "import", 6) == 0) ||
	       (len == 5 && memcmp(name, "embed", 5) == 0);
}

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

/* Does p, after "__has", go on as one of the questions that are about the compiler alone? */
static bool asks_the_compiler(const char *p, const char *end)
{
	static const char *const others[] = {
		"_attribute", "_builtin", "_c_attribute", "_constexpr_builtin", "_cpp_attribute", "_declspec_attribute",
		"_extension", "_feature", "_warning",
	};
	const char *name = p;

	while (p < end && is_name(*p))
		p++;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strlen(others[i]) == (size_t)(p - name) && memcmp(others[i], name, (size_t)(p - name)) == 0)
			return true;
	return false;
}

/* May it ask whether there is a file? Half of such a name is enough: the rest may be pasted to it. */
static bool asks_for_files(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; (p = memmem(p, (size_t)(end - p), "__has", 5));) {
		p += 5;
		if (!asks_the_compiler(p, end))
			return true;
	}
	return false;
}

/* A name that goes on in the next line may be any. */
static bool has_broken_name(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; (p = memchr(p, '\\', (size_t)(end - p)));) {
		bool after_name = p > text && is_name(p[-1]);
		const char *next = ++p;

		while (next < end && is_blank(*next))
			next++;
		if (next < end && *next == '\r')
			next++;
		if (after_name && next < end && *next == '\n' && ++next < end && is_name(*next))
			return true;
	}
	return false;
}

bool parent_text_includes(const char *text, size_t len)
{
	/* Other spellings of '#', questions about files, and what assemblers read. */
	static const char *const words[] = {
		"%:", "?\?=", "has_include", "has_embed", "dependency", ".incbin", ".include",
	};
	const char *end = text + len;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has(text, len, words[i]))
			return true;
	if (asks_for_files(text, len) || has_broken_name(text, len))
		return true;
	for (const char *p = text; (p = memchr(p, '#', (size_t)(end - p)));)
		if (directive_includes(++p, end))
			return true;
	return false;
}
