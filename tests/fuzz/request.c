/* SPDX-License-Identifier: MIT */
/* libFuzzer target: any bytes as a build request that an executor sends to the compile broker. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parent/built.h"
#include "parent/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct parent_request *q, const uint8_t *bytes, size_t size)
{
	/* The key leaves the working folder's item out: its head is before it. */
	if (q->cwd) {
		size_t at = (size_t)((const uint8_t *)q->cwd - bytes);

		if (at < 8 || at + strlen(q->cwd) + 1 > size)
			abort();
	}
	parent_text_includes(q->source, q->source_len);
	parent_text_includes(q->options, strlen(q->options));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1); /* of that size: what is read beyond is seen */
	struct parent_request q;
	char name[256] = "";

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	if (parent_request_parse(bytes, size, &q) == 0)
		check(&q, bytes, size);
	memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
	if (parent_name_is_safe(name) && (name[0] == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../")))
		abort();
	free(bytes);
	return 0;
}
