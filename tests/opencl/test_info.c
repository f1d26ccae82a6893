/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "parts.h"

static void test_param_value_protocol(void **state)
{
	uint32_t dst = 7;
	size_t size = 0;

	assert_int_equal(INFO_RETURN(uint32_t, 42, sizeof(dst), &dst, &size), CL_SUCCESS);
	assert_int_equal(dst, 42);
	assert_int_equal(size, sizeof(dst));

	/* only the size */
	size = 0;
	assert_int_equal(INFO_RETURN(uint32_t, 43, 0, NULL, &size), CL_SUCCESS);
	assert_int_equal(size, sizeof(dst));

	/* no room: nothing is written */
	size = 99;
	assert_int_equal(INFO_RETURN(uint64_t, 44, sizeof(dst), &dst, &size), CL_INVALID_VALUE);
	assert_int_equal(dst, 42);
	assert_int_equal(size, 99);

	/* more room than needed, and no interest in the size */
	assert_int_equal(INFO_RETURN(uint8_t, 1, sizeof(dst), &dst, NULL), CL_SUCCESS);

	/* an empty list */
	assert_int_equal(info_return(NULL, 0, sizeof(dst), &dst, &size), CL_SUCCESS);
	assert_int_equal(size, 0);
}

static void test_strings_have_their_end(void **state)
{
	char text[4];
	size_t size;

	assert_int_equal(info_return_str("abc", sizeof(text), text, &size), CL_SUCCESS);
	assert_string_equal(text, "abc");
	assert_int_equal(size, 4);
	assert_int_equal(info_return_str("abcd", sizeof(text), text, &size), CL_INVALID_VALUE);
}

static void test_errnos_become_errors(void **state)
{
	assert_int_equal(cl_error_from(0), CL_SUCCESS);
	assert_int_equal(cl_error_from(-ENOSPC), CL_MEM_OBJECT_ALLOCATION_FAILURE);
	assert_int_equal(cl_error_from(-ENOMEM), CL_OUT_OF_HOST_MEMORY);
	assert_int_equal(cl_error_from(-ESHUTDOWN), CL_OUT_OF_RESOURCES);
	assert_int_equal(cl_error_from(-ECONNREFUSED), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(cl_error_from(-12345), CL_OUT_OF_RESOURCES);
}

static void test_heads(void **state)
{
	struct head h;

	assert_false(head_is(NULL, KIND_MEM));
	head_init(&h, KIND_MEM);
	assert_true(head_is(&h, KIND_MEM));
	assert_false(head_is(&h, KIND_EVENT));
	head_ref(&h);
	assert_false(head_unref(&h));
	assert_true(head_unref(&h));
	assert_false(head_is(&h, KIND_MEM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_param_value_protocol),
		cmocka_unit_test(test_strings_have_their_end),
		cmocka_unit_test(test_errnos_become_errors),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
