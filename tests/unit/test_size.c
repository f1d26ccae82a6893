/* SPDX-License-Identifier: MIT */
#include "base/size.h"

#include <errno.h>

#include "unit.h"

static void test_parse_accepts(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "1", 1 },
		{ "4096", 4096 },
		{ "12B", 12 },
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "64KiB", 65536 },
		{ "64kb", 65536 },
		{ "512M", 512ull << 20 },
		{ "1.5G", 3ull << 29 },
		{ "1.5 GiB", 3ull << 29 },
		{ "0.5K", 512 },
		{ "0.25MiB", 256 << 10 },
		{ "2T", 2ull << 40 },
		{ "3P", 3ull << 50 },
		{ "15E", 15ull << 60 },
		{ "15.999999999999999999E", 18446744073709551614u },
		{ "18446744073709551615", UINT64_MAX },
		{ "007", 7 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trn_error err = { 0 };
		uint64_t bytes = 0;

		if (base_size_parse(cases[i].text, &bytes, &err) != 0 || bytes != cases[i].bytes)
			fail_msg("'%s' is read as %llu", cases[i].text, (unsigned long long)bytes);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const texts[] = {
		"", " ", "G", ".5G", "1.G", "1,5G", "-1", "+1", "0x10", "1 ", "1GG", "1GiBB", "1iB", "1Ki", " 1", "1  G",
		"1.5", "1.5B", "1e3", "0", "0G", "0.0K", "1\n", "1Z", "0.00000000000001K", "1.1234567890123456789K",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct trn_error err = { 0 };
		uint64_t bytes = 77;

		if (base_size_parse(texts[i], &bytes, &err) == 0)
			fail_msg("'%s' is read as %llu", texts[i], (unsigned long long)bytes);
		assert_refused(err.code, err, -EINVAL, "BadSize");
		assert_int_equal(bytes, 77);
		assert_int_equal(base_size_parse(texts[i], &bytes, NULL), -EINVAL);
	}
}

static void test_parse_overflow(void **state)
{
	static const char *const texts[] = {
		"18446744073709551616", "16E", "99999999999999999999999", "17179869184G", "18446744073709551615K",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct trn_error err = { 0 };
		uint64_t bytes = 77;

		assert_refused(base_size_parse(texts[i], &bytes, &err), err, -ERANGE, "BadSize");
		assert_int_equal(bytes, 77);
	}
}

static void test_format(void **state)
{
	char buf[BASE_SIZE_TEXT];

	assert_string_equal(base_size_format(0, buf), "0 B");
	assert_string_equal(base_size_format(1023, buf), "1023 B");
	assert_string_equal(base_size_format(1024, buf), "1 KiB");
	assert_string_equal(base_size_format(1536, buf), "1.5 KiB");
	assert_string_equal(base_size_format(3ull << 29, buf), "1.5 GiB");
	assert_string_equal(base_size_format((1ull << 30) - 1, buf), "1023.99 MiB");
	assert_string_equal(base_size_format((1ull << 30) + (1ull << 24), buf), "1.01 GiB");
	assert_string_equal(base_size_format(UINT64_MAX, buf), "15.99 EiB");
}

static void test_format_never_says_more(void **state)
{
	for (uint64_t v = 1; v < UINT64_MAX / 7; v = v * 3 + v / 7 + 1) {
		struct trn_error err = { 0 };
		char buf[BASE_SIZE_TEXT];
		uint64_t back = 0;

		assert_int_equal(base_size_parse(base_size_format(v, buf), &back, &err), 0);
		assert_true(back <= v && back >= v - v / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_accepts),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_overflow),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_never_says_more),
	};

	return unit_run(tests);
}
