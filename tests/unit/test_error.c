/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "tranche/error.h"
#include "unit.h"

static void test_set_fills_and_returns_code(void **state)
{
	struct trn_error err = { 0 };

	assert_int_equal(trn_error_set(&err, -ENOSPC, "NoFreeInstance", "type %s has no free instance", "mtty-2"),
			 -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_string_equal(err.name, "NoFreeInstance");
	assert_string_equal(err.text, "type mtty-2 has no free instance");
	assert_string_equal(err.hint, "");
}

static void test_set_first_error_wins(void **state)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -EINVAL, "First", "first");
	assert_int_equal(trn_error_set(&err, -EIO, "Second", "second"), -EIO);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "first");
}

static void test_set_accepts_null(void **state)
{
	assert_int_equal(trn_error_set(NULL, -EPERM, "X", "text"), -EPERM);
	trn_error_prefix(NULL, "p");
	assert_int_equal(trn_error_hint(NULL, "h"), 0);
}

static void test_set_cuts_long_text(void **state)
{
	char text[2 * sizeof(((struct trn_error *)0)->text)];
	struct trn_error err = { 0 };

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	trn_error_set(&err, -EINVAL, "X", "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	trn_error_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

static void test_text_has_no_control_characters(void **state)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -EINVAL, "X", "bad name '%s'", "a\nb\033[2J\x7f\xc3\xa4");
	assert_string_equal(err.text, "bad name 'a?b?[2J?\xc3\xa4'");
	trn_error_hint(&err, "do\rthis");
	assert_string_equal(err.hint, "do?this");
	trn_error_prefix(&err, "x\ty: ");
	assert_string_equal(err.text, "x?y: bad name 'a?b?[2J?\xc3\xa4'");
}

static void test_prefix(void **state)
{
	struct trn_error err = { 0 };

	trn_error_prefix(&err, "ignored while empty: ");
	assert_string_equal(err.text, "");
	trn_error_set(&err, -EINVAL, "X", "no memory");
	trn_error_prefix(&err, "device %d: ", 7);
	assert_string_equal(err.text, "device 7: no memory");
}

static void test_prefix_cuts_at_the_end(void **state)
{
	struct trn_error err = { 0 };
	char text[sizeof(err.text)];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	trn_error_set(&err, -EINVAL, "X", "%s", text);
	trn_error_prefix(&err, "device: ");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "device: xxx", 11);
	trn_error_prefix(&err, "%s", text);
	assert_string_equal(err.text, text);
}

static void test_hint_first_wins(void **state)
{
	struct trn_error err = { 0 };

	assert_int_equal(trn_error_hint(&err, "ignored while empty"), 0);
	assert_string_equal(err.hint, "");
	trn_error_set(&err, -EBUSY, "InUse", "in use");
	assert_int_equal(trn_error_hint(&err, "close %s", "it"), -EBUSY);
	assert_int_equal(trn_error_hint(&err, "other"), -EBUSY);
	assert_string_equal(err.hint, "close it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_fills_and_returns_code),
		cmocka_unit_test(test_set_first_error_wins),
		cmocka_unit_test(test_set_accepts_null),
		cmocka_unit_test(test_set_cuts_long_text),
		cmocka_unit_test(test_text_has_no_control_characters),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_cuts_at_the_end),
		cmocka_unit_test(test_hint_first_wins),
	};

	return unit_run(tests);
}
