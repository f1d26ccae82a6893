/* SPDX-License-Identifier: MIT */
/* An input is read from its beginning to its end; behind the end all numbers are 0. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static inline bool input_has(const struct input *in)
{
	return in->left > 0;
}

/* As many of the next bytes as there are, at most len. Return: how many; *ret is where they lie. */
static inline size_t input_take(struct input *in, size_t len, const uint8_t **ret)
{
	if (len > in->left)
		len = in->left;
	*ret = in->at;
	in->at += len;
	in->left -= len;
	return len;
}

/* A little-endian number of len bytes. */
static inline uint64_t input_number(struct input *in, size_t len)
{
	const uint8_t *bytes;
	uint64_t v = 0;

	len = input_take(in, len, &bytes);
	for (size_t i = 0; i < len; i++)
		v |= (uint64_t)bytes[i] << (8 * i);
	return v;
}

static inline uint8_t input_u8(struct input *in)
{
	return (uint8_t)input_number(in, 1);
}

static inline uint16_t input_u16(struct input *in)
{
	return (uint16_t)input_number(in, 2);
}

static inline uint32_t input_u32(struct input *in)
{
	return (uint32_t)input_number(in, 4);
}

/* Fills buf; behind the end with zeros. */
static inline void input_fill(struct input *in, void *buf, size_t len)
{
	const uint8_t *bytes;
	size_t n = input_take(in, len, &bytes);

	memset(buf, 0, len);
	if (n)
		memcpy(buf, bytes, n);
}

/* memcmp() tells the fuzzer of each byte, which is slow, and of no use where the bytes are not the input's. */
__attribute__((no_sanitize("address", "undefined"))) static inline bool input_is_same(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= x[i] ^ y[i];
	return !differs;
}

/* What always holds; assert() is for those who can turn it off. */
static inline void must(bool holds)
{
	if (!holds)
		abort();
}

#endif
