/* SPDX-License-Identifier: MIT */
/*
 * Blobs: the wire's form for data of no fixed shape (docs/wire.md, "Blobs").  A blob is a row of items,
 * each a header { u32 tag, u32 len } and len bytes, padded with zeros to 8 bytes.  All little-endian.
 *
 * The writer works in memory that it grows itself; the reader works on a private copy or on memory that the
 * other side no longer writes, and trusts no length.
 */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct base_blob {
	uint8_t *data; /* malloc'ed; owned */
	size_t len;
	size_t cap;
	bool failed; /* an allocation failed or a length overflowed: all later puts do nothing */
};

void base_blob_finish(struct base_blob *b); /* frees; zeroes */
void base_blob_put(struct base_blob *b, uint32_t tag, const void *data, size_t len);
void base_blob_put_u32(struct base_blob *b, uint32_t tag, uint32_t v);
void base_blob_put_u64(struct base_blob *b, uint32_t tag, uint64_t v);
void base_blob_put_str(struct base_blob *b, uint32_t tag, const char *s); /* with its NUL */

/* An item that holds items: begin returns a mark for end. */
size_t base_blob_begin(struct base_blob *b, uint32_t tag);
void base_blob_end(struct base_blob *b, size_t mark);

struct base_blob_item {
	uint32_t tag;
	uint32_t len;
	const uint8_t *data; /* 8-byte aligned if the blob is */
};

struct base_blob_reader {
	const uint8_t *data;
	size_t len;
	size_t pos;
	bool malformed; /* set when an item does not fit or its padding is not zero */
};

void base_blob_reader_init(struct base_blob_reader *r, const void *data, size_t len);
/* The next item, or false at the end or at a malformed one. */
bool base_blob_next(struct base_blob_reader *r, struct base_blob_item *ret);
/* Exactly 4 or 8 bytes, else false. */
bool base_blob_u32(const struct base_blob_item *it, uint32_t *ret);
bool base_blob_u64(const struct base_blob_item *it, uint64_t *ret);
/* The item as a string: ends with its only NUL (so "" is one, an item of no bytes is not); else NULL. */
const char *base_blob_str(const struct base_blob_item *it);

#endif
