/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static char output[8192];

/* Runs what logs with stderr caught. */
#define catch_output(code)                                              \
	do {                                                            \
		int pipes_[2], kept_ = dup(2);                          \
		ssize_t n_;                                             \
		assert_int_equal(pipe2(pipes_, O_CLOEXEC), 0);          \
		dup2(pipes_[1], 2);                                     \
		code;                                                   \
		dup2(kept_, 2);                                         \
		base_close(kept_);                                      \
		base_close(pipes_[1]);                                  \
		n_ = read(pipes_[0], output, sizeof(output) - 1);       \
		base_close(pipes_[0]);                                  \
		assert_true(n_ >= 0);                                   \
		output[n_] = '\0';                                      \
	} while (0)

static void test_levels(void **state)
{
	unsetenv("TRANCHE_LOG");
	base_log_init("prog");
	catch_output({
		log_error("e %d", 1);
		log_warning("w");
		log_info("i");
		log_debug("d");
	});
	assert_string_equal(output, "prog: e 1\nprog: w\n");

	setenv("TRANCHE_LOG", "debug", 1);
	base_log_init("prog");
	catch_output({
		log_info("i");
		log_debug("d");
	});
	assert_string_equal(output, "prog: i\nprog: d\n");

	setenv("TRANCHE_LOG", "error", 1);
	base_log_init("prog");
	catch_output(log_warning("w"));
	assert_string_equal(output, "");

	setenv("TRANCHE_LOG", "warning", 1);
	base_log_init("prog");
	setenv("TRANCHE_LOG", "loud", 1);
	catch_output(base_log_init("prog"));
	assert_non_null(strstr(output, "TRANCHE_LOG=loud"));
}

static void test_one_line_whatever_the_text(void **state)
{
	char text[4000];

	catch_output(log_error("a\nb\033[0m"));
	assert_string_equal(output, "prog: a?b?[0m\n");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	catch_output(log_error("%s", text));
	assert_true(strlen(output) > 900 && strlen(output) <= 1024);
	assert_ptr_equal(strchr(output, '\n'), output + strlen(output) - 1);
}

static void test_errno_is_kept(void **state)
{
	errno = EXDEV;
	catch_output({
		errno = EXDEV;
		log_error("%m");
		assert_int_equal(errno, EXDEV);
	});
	assert_non_null(strstr(output, strerror(EXDEV)));
}

static void test_error_with_hint(void **state)
{
	struct trn_error err = { 0 };

	err.code = -ENOENT;
	catch_output(base_log_error(BASE_LOG_ERROR, &err));
	assert_non_null(strstr(output, strerror(ENOENT)));
	err.code = 0;
	trn_error_set(&err, -EBUSY, "InUse", "it is used");
	trn_error_hint(&err, "stop it");
	catch_output(base_log_error(BASE_LOG_ERROR, &err));
	assert_string_equal(output, "prog: it is used\nprog: hint: stop it\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_one_line_whatever_the_text),
		cmocka_unit_test(test_errno_is_kept),
		cmocka_unit_test(test_error_with_hint),
	};

	return unit_run(tests);
}
