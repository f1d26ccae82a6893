/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

/* More than any honest answer has: a thousand devices are half a MiB. */
#define MOST ((size_t)64 << 20)

int api_buffer_add(struct api_buffer *b, const void *data, size_t len)
{
	size_t room = b->room ? b->room : 4096;
	char *grown;

	if (len > MOST - b->len)
		return -E2BIG;
	while (room - b->len <= len) /* there is always a place for a zero behind */
		room *= 2;
	if (room != b->room) {
		grown = realloc(b->data, room);
		if (!grown)
			return -ENOMEM;
		b->data = grown;
		b->room = room;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

void api_buffer_finish(struct api_buffer *b)
{
	free(b->data);
	*b = (struct api_buffer){ 0 };
}

size_t api_buffer_write(char *data, size_t size, size_t nr, void *buffer)
{
	return api_buffer_add(buffer, data, size * nr) < 0 ? 0 : size * nr;
}
