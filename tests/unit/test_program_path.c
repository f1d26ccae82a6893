/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/program.h"
#include "unit.h"

/* This program is not called as it says: it is taken for one that is installed. */
static void test_installed(void **state)
{
	char path[PATH_MAX];

	base_program_find("device/tranche-device", "executor/tranche-executor", "/usr/libexec/tranche", path);
	assert_string_equal(path, "/usr/libexec/tranche/tranche-executor");
	base_program_find("device/tranche-device", "tranche-executor", "/x", path);
	assert_string_equal(path, "/x/tranche-executor");
}

/* A copy of this program, called from a tree of its own, prints what it finds. */
static void test_in_a_build_tree(void **state)
{
	char self[PATH_MAX], tree[] = "/tmp/program-XXXXXX", said[PATH_MAX] = "", command[4 * PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	FILE *f;

	assert_true(len > 0);
	self[len] = '\0';
	assert_non_null(mkdtemp(tree));
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p src/device && cp %s src/device/tranche-device && FIND=1 src/device/tranche-device; rm -r %s",
		 tree, self, tree);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(said, sizeof(said), f));
	pclose(f);
	snprintf(command, sizeof(command), "%s/src/executor/tranche-executor\n", tree);
	assert_string_equal(said, command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_installed),
		cmocka_unit_test(test_in_a_build_tree),
	};
	char path[PATH_MAX];

	if (getenv("FIND")) {
		base_program_find("device/tranche-device", "executor/tranche-executor", "/usr/libexec/tranche", path);
		return puts(path) < 0;
	}
	return unit_run(tests);
}
