/* SPDX-License-Identifier: MIT */
#include "base/crc32.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void test_crc32_known(void **state)
{
	assert_int_equal(base_crc32(0, "", 0), 0);
	assert_int_equal(base_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of the catalogues */
	assert_int_equal(base_crc32(0, "a", 1), 0xe8b7be43);
}

/* Bit by bit, as the definition says. */
static uint32_t slow(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void test_crc32_any_length_and_piece(void **state)
{
	uint8_t bytes[300];

	srand(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand();
	for (size_t len = 0; len <= sizeof(bytes) - 8; len++) {
		size_t cut = len / 3, start = len % 8;
		uint32_t crc = base_crc32(base_crc32(0, bytes + start, cut), bytes + start + cut, len - cut);

		assert_int_equal(crc, slow(bytes + start, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32_known),
		cmocka_unit_test(test_crc32_any_length_and_piece),
	};

	return unit_run(tests);
}
