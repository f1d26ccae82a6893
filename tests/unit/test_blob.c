/* SPDX-License-Identifier: MIT */
#include "base/blob.h"

#include <string.h>

#include "unit.h"

static void test_bytes_are_as_specified(void **state)
{
	static const uint8_t want[] = {
		0x04, 0x03, 0x02, 0x01, 0x03, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 0, /* tag 0x01020304 */
		0x05, 0, 0, 0, 0x04, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0, /* a u32 */
		0x06, 0, 0, 0, 0, 0, 0, 0, /* empty */
	};
	struct base_blob b = { 0 };

	base_blob_put(&b, 0x01020304, "abc", 3);
	base_blob_put_u32(&b, 5, 0x0a0b0c0d);
	base_blob_put(&b, 6, NULL, 0);
	assert_false(b.failed);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	base_blob_finish(&b);
	assert_null(b.data);
}

static void test_round_trip_nested(void **state)
{
	struct base_blob b = { 0 };
	struct base_blob_reader r, inner;
	struct base_blob_item it;
	uint64_t v64 = 0;
	uint32_t v32 = 0;
	size_t outer, deep;

	outer = base_blob_begin(&b, 10);
	base_blob_put_str(&b, 11, "kernel");
	deep = base_blob_begin(&b, 12);
	base_blob_put_u64(&b, 13, 0x1122334455667788);
	base_blob_end(&b, deep);
	base_blob_put_str(&b, 14, "");
	base_blob_end(&b, outer);
	for (uint32_t i = 0; i < 1000; i++)
		base_blob_put_u32(&b, 20, i);
	assert_false(b.failed);

	base_blob_reader_init(&r, b.data, b.len);
	assert_true(base_blob_next(&r, &it));
	assert_int_equal(it.tag, 10);
	base_blob_reader_init(&inner, it.data, it.len);
	assert_true(base_blob_next(&inner, &it));
	assert_string_equal(base_blob_str(&it), "kernel");
	assert_false(base_blob_u32(&it, &v32));
	assert_true(base_blob_next(&inner, &it));
	assert_int_equal(it.tag, 12);
	assert_int_equal(it.len, 16);
	assert_true(base_blob_next(&inner, &it));
	assert_string_equal(base_blob_str(&it), "");
	assert_false(base_blob_next(&inner, &it));
	assert_false(inner.malformed);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(base_blob_next(&r, &it));
		assert_true(base_blob_u32(&it, &v32));
		assert_int_equal(v32, i);
		assert_false(base_blob_u64(&it, &v64));
	}
	assert_false(base_blob_next(&r, &it));
	assert_false(r.malformed);
	base_blob_finish(&b);
}

/* The bytes as a blob of their own, in memory of just that size, so that ASAN sees a read beyond. */
static bool is_malformed(const void *bytes, size_t len)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	void *copy = test_malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	base_blob_reader_init(&r, copy, len);
	while (base_blob_next(&r, &it))
		;
	assert_false(base_blob_next(&r, &it));
	test_free(copy);
	return r.malformed;
}

static void test_reader_trusts_no_length(void **state)
{
	static const uint8_t good[16] = { 1, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c' };
	uint8_t bytes[24];

	assert_false(is_malformed(good, 0));
	assert_false(is_malformed(good, 16));
	for (size_t len = 1; len < 16; len++)
		assert_true(is_malformed(good, len));

	memcpy(bytes, good, 16);
	bytes[11] = 1; /* padding */
	assert_true(is_malformed(bytes, 16));
	for (uint32_t len = 9; len < 200; len++) {
		memcpy(bytes, good, 16);
		memcpy(bytes + 4, &len, 4);
		assert_true(is_malformed(bytes, 16));
	}
	for (uint32_t back = 0; back < 16; back++) {
		uint32_t len = UINT32_MAX - back;

		memcpy(bytes + 4, &len, 4);
		assert_true(is_malformed(bytes, 16));
	}
}

static void test_reader_survives_any_bytes(void **state)
{
	uint32_t seed = 1;

	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[64];
		size_t len;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (seed >> 24) & (seed & 0x800000 ? 0x1f : 0);
		}
		len = seed % (sizeof(bytes) + 1);
		is_malformed(bytes, len);
	}
}

static void test_str_must_end_with_its_only_nul(void **state)
{
	struct base_blob_item it = { .data = (const uint8_t *)"ab\0cd", .len = 3 };

	assert_string_equal(base_blob_str(&it), "ab");
	it.len = 2;
	assert_null(base_blob_str(&it));
	it.len = 5;
	assert_null(base_blob_str(&it));
	it.len = 6;
	assert_null(base_blob_str(&it));
	it.len = 0;
	assert_null(base_blob_str(&it));
}

static void test_numbers_need_exact_length(void **state)
{
	static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct base_blob_item it = { .data = bytes };
	uint64_t v64;
	uint32_t v32;

	for (it.len = 0; it.len <= 8; it.len++) {
		assert_int_equal(base_blob_u32(&it, &v32), it.len == 4);
		assert_int_equal(base_blob_u64(&it, &v64), it.len == 8);
	}
	it.len = 8;
	assert_true(base_blob_u64(&it, &v64));
	assert_true(v64 == 0x0807060504030201);
}

static void test_failure_is_sticky(void **state)
{
	struct base_blob b = { 0 };
	size_t mark, len;

	base_blob_put_u32(&b, 1, 1);
	len = b.len;
	base_blob_put(&b, 2, "", (size_t)UINT32_MAX + 1);
	assert_true(b.failed);
	base_blob_put_str(&b, 3, "later");
	mark = base_blob_begin(&b, 4);
	base_blob_end(&b, mark);
	assert_int_equal(b.len, len);
	base_blob_finish(&b);
	assert_false(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_as_specified),
		cmocka_unit_test(test_round_trip_nested),
		cmocka_unit_test(test_reader_trusts_no_length),
		cmocka_unit_test(test_reader_survives_any_bytes),
		cmocka_unit_test(test_str_must_end_with_its_only_nul),
		cmocka_unit_test(test_numbers_need_exact_length),
		cmocka_unit_test(test_failure_is_sticky),
	};

	return unit_run(tests);
}
