/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "fuzz.h"

uint64_t fuzz_random(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng * 0x2545f4914f6cdd1dull;
}

uint32_t fuzz_below(struct worker *w, uint32_t limit)
{
	return (uint32_t)((fuzz_random(w) >> 32) * limit >> 32);
}

bool fuzz_one_in(struct worker *w, uint32_t n)
{
	return fuzz_below(w, n) == 0;
}

uint64_t fuzz_odd_number(struct worker *w)
{
	switch (fuzz_below(w, 6)) {
	case 0:
		return fuzz_random(w);
	case 1:
		return fuzz_below(w, 80);
	case 2:
		return UINT64_MAX - fuzz_below(w, 3);
	case 3:
		return UINT32_MAX - fuzz_below(w, 3);
	default:
		return (1ull << fuzz_below(w, 64)) + fuzz_below(w, 3) - 1;
	}
}

void fuzz_fill(struct worker *w, void *buf, size_t len)
{
	uint8_t *bytes = buf;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(fuzz_random(w) >> 56);
}

void fuzz_spoil(struct worker *w, void *buf, size_t len)
{
	uint64_t value;
	size_t size;

	while (len >= 8 && fuzz_one_in(w, 6)) {
		size = fuzz_one_in(w, 2) ? 4 : 8;
		value = fuzz_odd_number(w);
		memcpy((uint8_t *)buf + fuzz_below(w, (uint32_t)(len / size)) * size, &value, size);
	}
}
