/* SPDX-License-Identifier: MIT */
#include "base/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define UUID "7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f"

static void test_socket(void **state)
{
	struct trn_error err = { 0 };
	char path[108];

	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	assert_int_equal(base_runtime_socket(UUID, path, sizeof(path), &err), 0);
	assert_string_equal(path, "/run/user/1/tranche/" UUID ".sock");
	assert_refused(base_runtime_socket(UUID, path, 30, &err), err, -ENAMETOOLONG, "NoRuntimeDir");
	for (int i = 0; i < 2; i++) {
		if (i)
			unsetenv("XDG_RUNTIME_DIR");
		else
			setenv("XDG_RUNTIME_DIR", "relative", 1);
		if (geteuid() != 0) {
			assert_refused(base_runtime_socket(UUID, path, sizeof(path), &err), err, -ENOENT, "NoRuntimeDir");
			continue;
		}
		assert_int_equal(base_runtime_socket(UUID, path, sizeof(path), &err), 0);
		assert_string_equal(path, "/run/tranche/" UUID ".sock");
	}
}

static void test_folder(void **state)
{
	char folder[] = "/tmp/test_runtime.XXXXXX", path[64];
	struct trn_error err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tranche/x.sock", folder);
	for (int i = 0; i < 2; i++)
		assert_int_equal(base_runtime_make_folder(path, &err), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/no/such/x.sock", folder);
	assert_refused(base_runtime_make_folder(path, &err), err, -ENOENT, "NoRuntimeDir");
	assert_int_equal(base_runtime_make_folder("x.sock", &err), 0);
	assert_int_equal(base_runtime_make_folder("/x.sock", &err), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_folder),
	};

	return unit_run(tests);
}
