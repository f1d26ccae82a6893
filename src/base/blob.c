/* SPDX-License-Identifier: MIT */
#include "base/blob.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"

#define ALIGN 8
#define HEADER 8 /* u32 tag, u32 len */

void base_blob_finish(struct base_blob *b)
{
	free(b->data);
	*b = (struct base_blob){ 0 };
}

/* Makes room for len more bytes; the new length is the caller's to set. */
static bool reserve(struct base_blob *b, size_t len)
{
	size_t need, cap = b->cap ? b->cap : 256;
	uint8_t *data;

	if (b->failed || __builtin_add_overflow(b->len, len, &need))
		goto fail;
	if (need <= b->cap)
		return true;
	while (cap < need)
		if (__builtin_mul_overflow(cap, 2, &cap))
			goto fail;
	data = realloc(b->data, cap);
	if (!data)
		goto fail;
	b->data = data;
	b->cap = cap;
	return true;

fail:
	b->failed = true;
	return false;
}

static void store_header(struct base_blob *b, size_t at, uint32_t tag, uint32_t len)
{
	uint32_t header[2] = { htole32(tag), htole32(len) };

	memcpy(b->data + at, header, sizeof(header));
}

void base_blob_put(struct base_blob *b, uint32_t tag, const void *data, size_t len)
{
	uint64_t padded;

	if (len > UINT32_MAX || !base_round_up(len, ALIGN, &padded) || padded > SIZE_MAX - HEADER) {
		b->failed = true;
		return;
	}
	if (!reserve(b, HEADER + (size_t)padded))
		return;
	store_header(b, b->len, tag, (uint32_t)len);
	if (len)
		memcpy(b->data + b->len + HEADER, data, len);
	memset(b->data + b->len + HEADER + len, 0, (size_t)padded - len);
	b->len += HEADER + (size_t)padded;
}

void base_blob_put_u32(struct base_blob *b, uint32_t tag, uint32_t v)
{
	v = htole32(v);
	base_blob_put(b, tag, &v, sizeof(v));
}

void base_blob_put_u64(struct base_blob *b, uint32_t tag, uint64_t v)
{
	v = htole64(v);
	base_blob_put(b, tag, &v, sizeof(v));
}

void base_blob_put_str(struct base_blob *b, uint32_t tag, const char *s)
{
	base_blob_put(b, tag, s, strlen(s) + 1);
}

size_t base_blob_begin(struct base_blob *b, uint32_t tag)
{
	size_t mark = b->len;

	base_blob_put(b, tag, NULL, 0);
	return mark;
}

void base_blob_end(struct base_blob *b, size_t mark)
{
	size_t len;
	uint32_t tag;

	if (b->failed)
		return;
	len = b->len - mark - HEADER;
	if (len > UINT32_MAX) {
		b->failed = true;
		return;
	}
	memcpy(&tag, b->data + mark, sizeof(tag));
	store_header(b, mark, le32toh(tag), (uint32_t)len);
}

void base_blob_reader_init(struct base_blob_reader *r, const void *data, size_t len)
{
	*r = (struct base_blob_reader){ .data = data, .len = len };
}

bool base_blob_next(struct base_blob_reader *r, struct base_blob_item *ret)
{
	size_t left = r->len - r->pos;
	uint32_t header[2], len;
	uint64_t padded;

	if (left == 0 || r->malformed)
		return false;
	if (left < HEADER)
		goto malformed;
	memcpy(header, r->data + r->pos, sizeof(header));
	len = le32toh(header[1]);
	if (!base_round_up(len, ALIGN, &padded) || padded > left - HEADER)
		goto malformed;
	for (uint64_t i = len; i < padded; i++)
		if (r->data[r->pos + HEADER + i])
			goto malformed;

	ret->tag = le32toh(header[0]);
	ret->len = len;
	ret->data = r->data + r->pos + HEADER;
	r->pos += HEADER + (size_t)padded;
	return true;

malformed:
	r->malformed = true;
	return false;
}

bool base_blob_u32(const struct base_blob_item *it, uint32_t *ret)
{
	uint32_t v;

	if (it->len != sizeof(v))
		return false;
	memcpy(&v, it->data, sizeof(v));
	*ret = le32toh(v);
	return true;
}

bool base_blob_u64(const struct base_blob_item *it, uint64_t *ret)
{
	uint64_t v;

	if (it->len != sizeof(v))
		return false;
	memcpy(&v, it->data, sizeof(v));
	*ret = le64toh(v);
	return true;
}

const char *base_blob_str(const struct base_blob_item *it)
{
	if (it->len == 0 || memchr(it->data, '\0', it->len) != it->data + it->len - 1)
		return NULL;
	return (const char *)it->data;
}
