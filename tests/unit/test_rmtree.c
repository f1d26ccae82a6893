/* SPDX-License-Identifier: MIT */
/* Everything happens below a folder that setup() makes; "outside" in it stands for what must never be touched. */
#include "base/rmtree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

struct place {
	char path[64];
	int dir; /* of path */
};

static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	base_close(fd);
}

static bool exists(const struct place *p, const char *name)
{
	return faccessat(p->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	const char *above = getenv("TMPDIR");

	assert_non_null(p);
	snprintf(p->path, sizeof(p->path), "%.40s/rmtree-XXXXXX", above ? above : "/tmp");
	assert_non_null(mkdtemp(p->path));
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir >= 0);
	assert_int_equal(mkdirat(p->dir, "outside", 0755), 0);
	touch(p->dir, "outside/file");
	assert_int_equal(mkdirat(p->dir, "tree", 0700), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	struct stat st;

	/* By name, so that the function under test is not needed to clean up after itself. */
	assert_int_equal(fstatat(p->dir, "outside", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(unlinkat(p->dir, "outside/file", 0), 0);
	assert_int_equal(unlinkat(p->dir, "outside", AT_REMOVEDIR), 0);
	base_close(p->dir);
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static void test_removes_a_tree(void **state)
{
	const struct place *p = *state;

	touch(p->dir, "tree/file");
	assert_int_equal(mkdirat(p->dir, "tree/folder", 0700), 0);
	touch(p->dir, "tree/folder/file");
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
	assert_false(exists(p, "tree"));
	assert_int_equal(base_rmtree(p->dir, "tree"), -ENOENT);
}

static void test_removes_a_file(void **state)
{
	const struct place *p = *state;

	touch(p->dir, "file");
	assert_int_equal(base_rmtree(p->dir, "file"), 0);
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
}

static void test_follows_no_link(void **state)
{
	const struct place *p = *state;

	assert_int_equal(symlinkat("../outside", p->dir, "tree/relative"), 0);
	assert_int_equal(symlinkat("../outside/file", p->dir, "tree/file"), 0);
	assert_int_equal(symlinkat("/", p->dir, "tree/root"), 0);
	assert_int_equal(symlinkat("..", p->dir, "tree/above"), 0);
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
	assert_true(exists(p, "outside/file"));
}

/* The name itself may be a link. */
static void test_follows_not_even_the_first_link(void **state)
{
	const struct place *p = *state;

	assert_int_equal(symlinkat("outside", p->dir, "link"), 0);
	assert_int_equal(base_rmtree(p->dir, "link"), 0);
	assert_false(exists(p, "link"));
	assert_true(exists(p, "outside/file"));
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
}

static void test_opens_locked_folders(void **state)
{
	const struct place *p = *state;

	assert_int_equal(mkdirat(p->dir, "tree/locked", 0700), 0);
	touch(p->dir, "tree/locked/file");
	assert_int_equal(fchmodat(p->dir, "tree/locked", 0, 0), 0);
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
	assert_false(exists(p, "tree"));
}

static void test_any_depth(void **state)
{
	const struct place *p = *state;
	int dir = openat(p->dir, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 2000; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "deep", 0700), 0);
		touch(dir, "file");
		next = openat(dir, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		base_close(dir);
		dir = next;
	}
	base_close(dir);
	assert_int_equal(base_rmtree(p->dir, "tree"), 0);
	assert_false(exists(p, "tree"));
	assert_false(exists(p, "tree.deep-0"));
}

static void test_by_absolute_path(void **state)
{
	const struct place *p = *state;
	char path[80];

	snprintf(path, sizeof(path), "%s/tree", p->path);
	touch(p->dir, "tree/file");
	assert_int_equal(base_rmtree(AT_FDCWD, path), 0);
	assert_false(exists(p, "tree"));
	assert_true(exists(p, "outside/file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_removes_a_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removes_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follows_no_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follows_not_even_the_first_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_opens_locked_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_absolute_path, setup, teardown),
	};

	return unit_run(tests);
}
