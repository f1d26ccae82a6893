/* SPDX-License-Identifier: MIT */
/* What a program is stored under: the same for the same, another for anything that makes a difference. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "base/rmtree.h"
#include "parent/key.h"
#include "tranche/wire/parent.h"
#include "unit.h"

static char folder[64];

static int setup(void **state)
{
	strcpy(folder, "/var/tmp/test-key-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	return base_rmtree(AT_FDCWD, folder);
}

struct build {
	const char *source, *options, *cwd;
	uint32_t device, host_device;
	unsigned char host;
	bool is_guest;
	const char *file; /* text of the guest's /inc/a.h; NULL: there is none */
};

static void put_file(struct base_blob *blob, const char *name, const char *text)
{
	struct base_blob items = { 0 };

	base_blob_put_str(&items, TRNC_TAG_NAME, name);
	base_blob_put(&items, TRNC_TAG_SOURCE, text, strlen(text));
	base_blob_put(blob, TRNC_TAG_FILE, items.data, items.len);
	base_blob_finish(&items);
}

static struct parent_fate make(struct build b, struct parent_key *ret)
{
	struct parent_key host = { { b.host } };
	struct base_blob blob = { 0 };
	struct parent_request q;
	struct parent_fate fate;

	base_blob_put_u32(&blob, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(&blob, TRNC_TAG_SOURCE, b.source, strlen(b.source));
	base_blob_put_str(&blob, TRNC_TAG_OPTIONS, b.options ? b.options : "");
	if (b.cwd)
		base_blob_put_str(&blob, TRNC_TAG_CWD, b.cwd);
	if (b.file)
		put_file(&blob, "/inc/a.h", b.file);
	assert_int_equal(parent_request_parse(blob.data, blob.len, &q), 0);
	q.device = b.device;
	q.host_device = b.host_device;
	q.is_guest = b.is_guest;
	parent_key_make(&host, &q, ret, &fate);
	base_blob_finish(&blob);
	return fate;
}

static bool equal(struct build a, struct build b)
{
	struct parent_key x, y;

	make(a, &x);
	make(b, &y);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

#define B(...) ((struct build){ __VA_ARGS__ })

static void test_differences(void **state)
{
	struct build b = B("kernel void k() {}", "-DA=1", "/tmp");

	assert_true(equal(b, b));
	assert_false(equal(b, B("kernel void k() { }", "-DA=1", "/tmp")));
	assert_false(equal(b, B("kernel void k() {}", "-DA=2", "/tmp")));
	assert_false(equal(b, B("kernel void k() {}", "-DA=1", "/tmp", 1)));
	assert_false(equal(b, B("kernel void k() {}", "-DA=1", "/tmp", 0, 1)));
	assert_false(equal(b, B("kernel void k() {}", "-DA=1", "/tmp", 0, 0, 1)));
	/* From where it was asked makes none when nothing is looked for. */
	assert_true(equal(b, B("kernel void k() {}", "-DA=1", "/usr")));
	setenv("POCL_WORK_GROUP_METHOD", "cbs", 1);
	assert_true(equal(b, b));
	{
		struct parent_key with, without;

		make(b, &with);
		unsetenv("POCL_WORK_GROUP_METHOD");
		make(b, &without);
		assert_memory_not_equal(&with, &without, sizeof(with));
		setenv("SOME_OTHER", "1", 1);
		make(b, &with);
		assert_memory_equal(&with, &without, sizeof(with));
	}
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	base_close(fd);
}

static bool is_same_after(struct build b, const char *file, const char *text)
{
	struct parent_key before, after;

	assert_true(make(b, &before).is_storable);
	usleep(12000); /* file times come in ticks */
	write_file(file, text);
	assert_true(make(b, &after).is_storable);
	return memcmp(&before, &after, sizeof(before)) == 0;
}

static void test_folders(void **state)
{
	char options[100], inside[100];
	struct build b = B("#include \"a.h\"\n", options, "/usr/share/pocl");

	snprintf(options, sizeof(options), "-I %s", folder);
	assert_false(is_same_after(b, "a.h", "1"));
	assert_false(is_same_after(b, "a.h", "2")); /* of equal size */
	assert_true(equal(b, b));
	snprintf(inside, sizeof(inside), "%s/sub", folder);
	assert_int_equal(mkdir(inside, 0700), 0);
	assert_false(is_same_after(b, "sub/b.h", "1"));
	assert_false(is_same_after(b, "sub/b.h", "22"));
	/* From the working folder: what may be a text. */
	b = B("#include \"a.h\"\n", "", folder);
	assert_false(is_same_after(b, "a.h", "333"));
	assert_true(is_same_after(b, "log.txt", "333"));
	b = B("#include \"a.h\"\n", "-I sub", folder);
	assert_false(is_same_after(b, "sub/b.h", "4444"));
	/* No include: no file counts. */
	b = B("int x;\n", "", folder);
	assert_true(is_same_after(b, "a.h", "55555"));
}

static void test_fate(void **state)
{
	struct parent_key k;

	assert_true(make(B("int x;", "-cl-mad-enable -w -DX -D Y -D Z=1"), &k).is_storable);
	assert_true(make(B("int x;", "-DX=\"a b\""), &k).is_storable);
	assert_false(make(B("int x;", "-include /tmp/x.h"), &k).is_storable);
	assert_false(make(B("int x;", "-DX=\"a b\" -include x.h"), &k).is_storable);
	assert_false(make(B("int x;", "@file"), &k).is_storable);
	assert_false(make(B("#include \"x.h\"", "-I\"a b\"", "/usr/share/pocl"), &k).is_storable);
	assert_false(make(B("#include \"x.h\"", ""), &k).is_storable); /* from nowhere */
	assert_false(make(B("#include \"x.h\"", "-I/usr", "/usr/share/pocl"), &k).is_storable); /* too much */
	assert_true(make(B("#include \"x.h\"", "-I/nowhere", "/usr/share/pocl"), &k).is_storable);
	assert_true(make(B("#include \"x.h\"", "", "/usr/share/pocl"), &k).reads_files);
	assert_false(make(B("int x;", ""), &k).reads_files);
}

static void test_includes(void **state)
{
	static const char *const yes[] = {
		"#include <a>", "  #  include \"a\"", "#include_next <a>", "#import \"a\"", "#inc\\\nlude \"a\"", "#\\\ninclude \"a\"",
		"# /* x */ include \"a\"", "%:include <a>", "?\?=include <a>", "#if __has_include(<a>)\n#endif", "#embed \"a\"",
		"#define A\n#include A", "#\finclude <a>", "#\vinclude <a>", "# \xc2\xa0include <a>",
		"#if __has_inc\\\nlude(<a>)\n#endif", "#if __has\\ \r\n_include(<a>)\n#endif",
		"#define C(a, b) a ## b\n#if C(__has_inc, lude)(<a>)\n#endif", "#if C(_, _has_include)(<a>)\n#endif",
		"#pragma GCC dependency \"a\"", "__asm__(\".incbin \\\"a\\\"\");",
	};
	static const char *const no[] = {
		"", "int x;", "#define A(x) #x", "#define A(a, b) a ## b", "#pragma OPENCL EXTENSION all : enable", "#ifdef A\n#endif",
		"#if A\n#elif B\n#else\n#endif", "#undef A", "#line 3", "#error x", "#",
		"#if __has_builtin(a) && defined(__has_feature)\n#endif", "#define A(x) do { \\\n\tx; \\\n} while (0)", "\"\\n\"",
	};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!parent_text_includes(yes[i], strlen(yes[i])))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (parent_text_includes(no[i], strlen(no[i])))
			fail_msg("%s", no[i]);
	/* A zero in the middle; and what is in a macro of the options. */
	assert_true(parent_text_includes("#\0include <a>", 13));
	{
		struct parent_key key;

		assert_false(make(B("#if A(<a>)\n#endif", "-DA=1", "/usr/share/pocl"), &key).reads_files);
		assert_true(make(B("#if A(<a>)\n#endif", "-DA=__has_include", "/usr/share/pocl"), &key).reads_files);
	}
}

/* What an executor may send: anything. */
static void test_requests(void **state)
{
	struct base_blob blob = { 0 };
	struct parent_request q;
	struct parent_fate fate;
	struct parent_key key, host = { { 0 } };
	uint8_t bytes[256];

	base_blob_put_u32(&blob, TRNC_TAG_OP, TRNC_OP_LINK);
	base_blob_put_u64(&blob, TRNC_TAG_INPUT, 1);
	assert_int_equal(parent_request_parse(blob.data, blob.len, &q), -EOPNOTSUPP);
	base_blob_finish(&blob);
	assert_int_equal(parent_request_parse("", 0, &q), -EOPNOTSUPP);
	base_blob_put_u32(&blob, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(&blob, TRNC_TAG_SOURCE, "#include <x>", 12);
	base_blob_put_str(&blob, TRNC_TAG_CWD, "/usr/share/pocl");
	base_blob_put_str(&blob, TRNC_TAG_OPTIONS, "-I . -DA");
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)rand() % (blob.len + 1), at = (size_t)rand() % blob.len;

		memcpy(bytes, blob.data, blob.len);
		bytes[at] = (uint8_t)rand();
		if (parent_request_parse(bytes, i & 1 ? blob.len : len, &q) == 0)
			parent_key_make(&host, &q, &key, &fate);
	}
	base_blob_finish(&blob);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* All that a guest's program includes is in its request: no file of this machine counts, and none is looked at. */
static void test_guest(void **state)
{
	struct build b = B("#include <a.h>\nkernel void k() {}", .options = "-I/inc", .cwd = folder, .is_guest = true, .file = "1");
	struct build other = b;
	struct parent_key before, after;
	struct parent_fate fate;
	char path[128];
	FILE *f;

	(void)state;
	fate = make(b, &before);
	assert_true(fate.is_storable);
	assert_false(fate.reads_files);
	snprintf(path, sizeof(path), "%s/a.h", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	make(b, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	other.file = "2";
	assert_false(equal(b, other));
	other = b;
	other.cwd = "/";
	assert_false(equal(b, other));
	other = b;
	other.is_guest = false;
	assert_false(equal(b, other));
	/* Where nothing is included it does not count from where it was asked. */
	assert_true(equal(B("kernel void k() {}", .cwd = "/a", .is_guest = true),
			  B("kernel void k() {}", .cwd = "/b/c", .is_guest = true)));
	assert_false(equal(B("kernel void k() {}", .is_guest = true), B("kernel void k() {}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_differences), T(test_folders), T(test_fate), T(test_guest), T(test_includes),
		T(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
