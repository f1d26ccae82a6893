/* SPDX-License-Identifier: MIT */
/* What every unit test starts with: cmocka with the headers it forgets, and a main that counts descriptors. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Runs the array; also fails when the program has more descriptors open than before. */
#define unit_run(tests)                                                               \
	({                                                                            \
		int before_ = unit_count_fds();                                       \
		int failed_ = cmocka_run_group_tests(tests, NULL, NULL);              \
		unit_check_fds(before_) ? 1 : failed_;                                \
	})

int unit_count_fds(void);
int unit_check_fds(int before); /* 0, or 1 with a line on stderr */

/* The error tells code and name, and has a sentence without newline or full stop, and a hint. */
#define assert_refused(r, err, want_code, want_name)                                  \
	do {                                                                          \
		assert_int_equal(r, want_code);                                       \
		unit_check_error(&(err), want_code, want_name, __FILE__, __LINE__);   \
		(err) = (struct trn_error){ 0 };                                      \
	} while (0)

struct trn_error;
void unit_check_error(const struct trn_error *err, int code, const char *name, const char *file, int line);

#endif
