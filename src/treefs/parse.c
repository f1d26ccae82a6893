/* SPDX-License-Identifier: MIT */
#include "treefs/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define UUID_LEN (TREEFS_UUID_SIZE - 1)
/* Of the longest number in the longest notation (octal), with its sign and newline. */
#define LONGEST_NUMBER 32

int treefs_parse_uuid(const char *text, size_t len, char ret[TREEFS_UUID_SIZE])
{
	char uuid[TREEFS_UUID_SIZE] = "";

	if (len != UUID_LEN && !(len == UUID_LEN + 1 && text[UUID_LEN] == '\n'))
		return -EINVAL;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
		unsigned char c = (unsigned char)text[i];

		if (is_dash ? c != '-' : !isxdigit(c))
			return -EINVAL;
		uuid[i] = (char)tolower(c);
	}
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

int treefs_parse_number(const char *text, size_t len, unsigned long *ret)
{
	char copy[LONGEST_NUMBER], *end;
	unsigned long number;

	if (len && text[len - 1] == '\n')
		len--;
	if (!len || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	/* strtoul() would take spaces and a minus. */
	if (!isdigit((unsigned char)copy[copy[0] == '+']))
		return -EINVAL;
	errno = 0;
	number = strtoul(copy, &end, 0);
	if (errno || end != copy + len)
		return -EINVAL;
	*ret = number;
	return 0;
}

int treefs_parse_value(const char *text, size_t len, char **ret)
{
	char *copy;

	if (len && text[len - 1] == '\n')
		len--;
	if (memchr(text, '\0', len))
		return -EINVAL;
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
