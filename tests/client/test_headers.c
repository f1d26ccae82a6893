/* SPDX-License-Identifier: MIT */
/* Which files go along with a build. */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rmtree.h"
#include "client/headers.h"
#include "unit.h"

static char top[64];

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	for (char *slash = path + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

/* The names that go along, below the test's folder, in their order, with a blank behind each. */
static void expect(const char *source, const char *options, const char *names)
{
	const struct client_text_piece piece = { .text = source, .len = strlen(source) };
	char cwd[PATH_MAX], all[4096] = "";
	struct base_blob blob = { 0 };
	struct base_blob_reader r, inner;
	struct base_blob_item it, item;

	snprintf(cwd, sizeof(cwd), "%s/program", top);
	free(client_headers_add(&blob, &piece, 1, options, cwd));
	assert_false(blob.failed);
	base_blob_reader_init(&r, blob.data, blob.len);
	while (base_blob_next(&r, &it)) {
		const char *name;

		assert_int_equal(it.tag, TRNC_TAG_FILE);
		base_blob_reader_init(&inner, it.data, it.len);
		assert_true(base_blob_next(&inner, &item));
		assert_int_equal(item.tag, TRNC_TAG_NAME);
		name = base_blob_str(&item);
		assert_non_null(name);
		assert_memory_equal(name, top, strlen(top));
		strcat(strcat(all, name + strlen(top) + 1), " ");
		assert_true(base_blob_next(&inner, &item));
		assert_int_equal(item.tag, TRNC_TAG_SOURCE);
		assert_false(base_blob_next(&inner, &item));
	}
	assert_false(r.malformed);
	assert_string_equal(all, names);
	base_blob_finish(&blob);
}

static void test_names(void **state)
{
	write_file("program/a.h", "#include \"deep/b.h\"\n");
	write_file("program/deep/b.h", "  #  include <c.h>\r\n#include \"beside.h\"\n");
	write_file("program/deep/beside.h", "#include \"../a.h\"\n");
	write_file("inc/c.h", "");
	write_file("inc with blank/d.h", "");
	expect("", NULL, "");
	expect("kernel void k() {}\n", "-Iinc", "");
	expect("#include \"a.h\"\n", NULL, "program/a.h program/deep/b.h program/deep/beside.h ");
	expect("#include \"a.h\"", "-I ../inc", "program/a.h program/deep/b.h inc/c.h program/deep/beside.h ");
	expect("#include <c.h>\n#include <c.h>\n", "-w -I../inc -DX", "inc/c.h ");
	expect("#include \"d.h\"", "-I \"../inc with blank\"", "inc with blank/d.h ");
	expect("#include \"d.h\"", "-I'../inc with blank'", "inc with blank/d.h ");
	/* Of -D: no folder. */
	expect("#include <c.h>", "-D -I../inc", "");
	expect("#include \"missing.h\"\n// #includes nothing\n#include\n#include \"\n#inclu", "-I../inc", "");
}

static void test_macros(void **state)
{
	write_file("lib/inc_vendor.h", "#include \"inc_types.h\"\n");
	write_file("lib/inc_types.h", "");
	write_file("lib/other.h", "");
	write_file("lib/sub/late.cl", "#include \"../../program/a2.h\"\n");
	write_file("lib/.hidden/x.h", "");
	write_file("lib/data.bin", "");
	write_file("program/a2.h", "");
	/* A name can be seen: nothing else goes along. */
	expect("#include M2S(INCLUDE_PATH/inc_vendor.h)\n", "-I../lib -D INCLUDE_PATH=elsewhere",
	       "lib/inc_vendor.h lib/inc_types.h ");
	expect("#include M2S(INCLUDE_PATH/inc_vendor.h)\n", "-D INCLUDE_PATH=../lib -D M2S(x)=#x",
	       "lib/inc_vendor.h lib/inc_types.h ");
	/* None: all that may be meant, and what that includes. */
	expect("#include HEADER\n", "-I ../lib",
	       "lib/inc_types.h lib/inc_vendor.h lib/other.h lib/sub/late.cl program/a2.h ");
	expect("#include HEADER\n", NULL, "");
	expect("#define S(x) #x\n#include S(gone.h)\n", "-I../lib",
	       "lib/inc_types.h lib/inc_vendor.h lib/other.h lib/sub/late.cl program/a2.h ");
}

static void expect_options(const char *source, const char *options, const char *want)
{
	const struct client_text_piece piece = { .text = source, .len = strlen(source) };
	struct base_blob blob = { 0 };
	char *got = client_headers_add(&blob, &piece, 1, options, top);

	assert_string_equal(got, want);
	free(got);
	base_blob_finish(&blob);
}

/* A macro that names a folder by its whole path, as hashcat has: the host finds the folder's files by -I alone. */
static void test_folder_macros(void **state)
{
	const char *source = "#include M2S(INCLUDE_PATH/inc_vendor.h)\n";
	char options[PATH_MAX], want[PATH_MAX];

	snprintf(options, sizeof(options), "-w -D INCLUDE_PATH=\"%s/lib/\" -DX='a b' -D Y", top);
	snprintf(want, sizeof(want), "-w -D INCLUDE_PATH=. -I\"%s/lib\" -DX='a b' -D Y", top);
	expect_options(source, options, want);
	snprintf(options, sizeof(options), "-DINCLUDE_PATH=%s/lib", top);
	snprintf(want, sizeof(want), " -D INCLUDE_PATH=. -I\"%s/lib\"", top);
	expect_options(source, options, want);
	/* Nothing of that folder goes along: a path as any other text. */
	expect_options("", options, options);
	expect_options(source, "-D INCLUDE_PATH=/nowhere -D", "-D INCLUDE_PATH=/nowhere -D");
	expect_options(source, NULL, "");
}

static void test_bounds(void **state)
{
	struct base_blob blob = { 0 };
	const struct client_text_piece piece = { .text = "#include X\n", .len = 11 };
	char name[64], options[PATH_MAX];
	struct base_blob_reader r;
	struct base_blob_item it;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < CLIENT_HEADERS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "many/%u.h", i);
		write_file(name, "x");
	}
	snprintf(options, sizeof(options), "-I%s/many", top);
	free(client_headers_add(&blob, &piece, 1, options, NULL));
	base_blob_reader_init(&r, blob.data, blob.len);
	while (base_blob_next(&r, &it))
		nr++;
	assert_int_equal(nr, CLIENT_HEADERS_MAX);
	base_blob_finish(&blob);

	/* Too large for all, and no file at all: not waited for. */
	write_file("odd/big.h", "");
	snprintf(options, sizeof(options), "%s/odd/big.h", top);
	assert_int_equal(truncate(options, CLIENT_HEADERS_BYTES + 1), 0);
	snprintf(options, sizeof(options), "%s/odd/pipe.h", top);
	assert_int_equal(mkfifo(options, 0600), 0);
	expect("#include <big.h>\n#include <pipe.h>\n", "-I../odd", "");
}

static void test_paths(void **state)
{
	char out[PATH_MAX], longer[PATH_MAX + 10];

	assert_true(client_path_join("/a/b", "../c/./d//e", out));
	assert_string_equal(out, "/a/c/d/e");
	assert_true(client_path_join("/a", "../../..", out));
	assert_string_equal(out, "/");
	assert_true(client_path_join(NULL, "/x/..", out));
	assert_string_equal(out, "/");
	assert_true(client_path_join("/", "x", out));
	assert_string_equal(out, "/x");
	assert_false(client_path_join(NULL, "x", out));
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_false(client_path_join("/", longer, out));
	longer[PATH_MAX - 2] = '\0';
	assert_true(client_path_join("/", longer, out));
	longer[PATH_MAX - 2] = 'x';
	longer[PATH_MAX - 1] = '\0';
	assert_false(client_path_join("/", longer, out));
}

static int make_top(void **state)
{
	strcpy(top, "/tmp/client_headers.XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	return base_rmtree(AT_FDCWD, top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_folder_macros),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
