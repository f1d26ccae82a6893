/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "tranche/error.h"

int unit_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

int unit_check_fds(int before)
{
	int after = unit_count_fds();

	if (after <= before)
		return 0;
	fprintf(stderr, "%d descriptors leaked\n", after - before);
	return 1;
}

void unit_check_error(const struct trn_error *err, int code, const char *name, const char *file, int line)
{
	size_t len = strlen(err->text);

	_assert_int_equal(err->code, code, file, line);
	_assert_true(err->name != NULL, "err.name", file, line);
	_assert_string_equal(err->name, name, file, line);
	_assert_true(err->hint[0] != '\0', "err.hint", file, line);
	_assert_true(len > 0 && !strchr(err->text, '\n') && err->text[len - 1] != '.', err->text, file, line);
}
