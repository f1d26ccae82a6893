/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as the tests use; speaks TAP.
 */
#ifndef TRANCHE_TEST_KUNIT_H
#define TRANCHE_TEST_KUNIT_H

#include <stdio.h>
#include <stdlib.h>

#include "shim.h"

#define GFP_KERNEL 0

struct kunit {
	bool failed;
	void *memory[16];
	unsigned int nr_memory;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(function) { function, #function }

static inline void kunit_expect(struct kunit *test, bool holds,
				const char *text, int line)
{
	if (holds)
		return;
	test->failed = true;
	printf("# line %d: %s\n", line, text);
}

#define KUNIT_EXPECT(test, holds, text) \
	kunit_expect(test, holds, text, __LINE__)
#define KUNIT_EXPECT_TRUE(test, x) KUNIT_EXPECT(test, (x), #x)
#define KUNIT_EXPECT_FALSE(test, x) KUNIT_EXPECT(test, !(x), "not: " #x)
/* (long long holds what is compared, but u64's upper half) */
#define KUNIT_COMPARE(test, a, op, b) \
	KUNIT_EXPECT(test, (long long)(a) op (long long)(b), \
		     #a " " #op " " #b)
#define KUNIT_EXPECT_EQ(test, a, b) KUNIT_COMPARE(test, a, ==, b)
#define KUNIT_EXPECT_LE(test, a, b) KUNIT_COMPARE(test, a, <=, b)
#define KUNIT_EXPECT_LT(test, a, b) KUNIT_COMPARE(test, a, <, b)
#define KUNIT_EXPECT_GE(test, a, b) KUNIT_COMPARE(test, a, >=, b)
#define KUNIT_EXPECT_STREQ(test, a, b) \
	KUNIT_EXPECT(test, !strcmp(a, b), #a " is " #b)
#define KUNIT_ASSERT_NOT_NULL(test, pointer) do { \
	if (!(pointer)) \
		abort(); \
} while (0)

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int flags)
{
	(void)flags;
	if (test->nr_memory == ARRAY_SIZE(test->memory))
		return NULL;
	return test->memory[test->nr_memory++] = calloc(1, size);
}

static inline int kunit_run(const struct kunit_suite *suite)
{
	const struct kunit_case *c;
	int number = 0, failed = 0;

	for (c = suite->test_cases; c->run; c++) {
		struct kunit test = { };

		c->run(&test);
		while (test.nr_memory)
			free(test.memory[--test.nr_memory]);
		printf("%sok %d - %s\n", test.failed ? "not " : "", ++number,
		       c->name);
		failed += test.failed;
	}
	printf("1..%d\n", number);
	return failed ? 1 : 0;
}

#define kunit_test_suite(suite) \
	int main(void) { return kunit_run(&(suite)); } \
	struct kunit_suite

#endif
