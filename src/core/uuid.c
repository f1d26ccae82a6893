/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "core/core_priv.h"

#define UUID_LEN (TRN_UUID_SIZE - 1)

static bool is_dash_place(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int trn_uuid_parse(const char *text, size_t len, char ret[TRN_UUID_SIZE], struct trn_error *err)
{
	char uuid[TRN_UUID_SIZE];

	/* The same rule as for writes to the "create" file of a kernel's mdev type. */
	if (len != UUID_LEN && !(len == UUID_LEN + 1 && text[UUID_LEN] == '\n'))
		goto bad;
	for (size_t i = 0; i < UUID_LEN; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_dash_place(i) ? c != '-' : !isxdigit(c))
			goto bad;
		uuid[i] = (char)tolower(c);
	}
	uuid[UUID_LEN] = '\0';
	memcpy(ret, uuid, sizeof(uuid));
	return 0;

bad:
	return core_refuse(err, -EINVAL, "BadUuid", "write it as 8-4-4-4-12 hexadecimal digits; uuidgen makes one",
			   "'%.*s' is not a UUID", (int)(len > 48 ? 48 : len), text);
}
