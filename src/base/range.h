/* SPDX-License-Identifier: MIT */
/* Half-open ranges [start, start + len) of 64-bit numbers, and the one place where their overflow is checked. */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#define BASE_PAGE_SIZE 4096ull

/* Is [start, start + len) inside [0, total)?  Empty ranges inside are. */
static inline bool base_range_is_within(uint64_t start, uint64_t len, uint64_t total)
{
	return start <= total && len <= total - start;
}

/* Do two ranges, neither of which overflows, share a number? */
static inline bool base_range_overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len && b_len && a < b + b_len && b < a + a_len;
}

static inline bool base_is_page_aligned(uint64_t v)
{
	return (v & (BASE_PAGE_SIZE - 1)) == 0;
}

/* Rounds up to a multiple of align (a power of two); false when the result does not fit. */
static inline bool base_round_up(uint64_t v, uint64_t align, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(v, align - 1, &sum))
		return false;
	*ret = sum & ~(align - 1);
	return true;
}

#endif
