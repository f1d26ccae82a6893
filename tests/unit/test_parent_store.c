/* SPDX-License-Identifier: MIT */
/* The store of compiled programs: what goes in comes out, and nothing else does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rmtree.h"
#include "parent/store.h"
#include "parent/store_priv.h"
#include "unit.h"

static char folder[64];

static int setup(void **state)
{
	strcpy(folder, "/var/tmp/test-store-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	return base_rmtree(AT_FDCWD, folder);
}

static struct parent_store *open_store(uint64_t max)
{
	struct trn_error err = { 0 };
	struct parent_store *s = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/a/programs", folder);
	assert_int_equal(parent_store_open(path, max, &s, &err), 0);
	return s;
}

static struct parent_key key_of(unsigned int n)
{
	struct parent_key k = { { 0 } };

	memcpy(k.bytes, &n, sizeof(n));
	return k;
}

static void make(struct parent_built *b, const char *text, size_t len)
{
	char *bytes = malloc(len);

	memset(bytes, text[0], len);
	parent_built_init(b);
	strcpy(b->program, "AB/CDEF");
	b->flags = 1;
	b->reply.fd = parent_memory_of(text, strlen(text));
	b->reply.size = strlen(text);
	assert_int_equal(parent_built_add(b, "AB/CDEF/program.bc", len, parent_memory_of(bytes, len)), 0);
	assert_int_equal(parent_built_add(b, "AB/CDEF/k/16-1-1/k.so", 4, parent_memory_of("code", 4)), 0);
	free(bytes);
}

static void put(struct parent_store *s, unsigned int n, const char *text, size_t len)
{
	const struct parent_key key = key_of(n);
	struct parent_built b;

	make(&b, text, len);
	assert_int_equal(parent_store_put(s, &key, &b), 0);
	parent_built_finish(&b);
}

/* Does it hold what put() has put? */
static int get(struct parent_store *s, unsigned int n, const char *text, size_t len)
{
	const struct parent_key key = key_of(n);
	struct parent_built b;
	char buf[64] = "";
	int r = parent_store_get(s, &key, &b);

	if (r < 0)
		return r;
	assert_int_equal(b.nr_files, 2);
	assert_int_equal(b.flags, 1);
	assert_string_equal(b.program, "AB/CDEF");
	assert_string_equal(b.files[0].name, "AB/CDEF/program.bc");
	assert_int_equal(b.files[0].size, len);
	assert_string_equal(b.files[1].name, "AB/CDEF/k/16-1-1/k.so");
	assert_int_equal(pread(b.reply.fd, buf, sizeof(buf) - 1, 0), strlen(text));
	assert_string_equal(buf, text);
	assert_int_equal(pread(b.files[0].fd, buf, 1, (off_t)len - 1), 1);
	assert_int_equal(buf[0], text[0]);
	parent_built_finish(&b);
	return 0;
}

static void test_round_trip(void **state)
{
	struct parent_store *s = open_store(PARENT_STORE_MAX);

	assert_int_equal(get(s, 1, "one", 100), -ENOENT);
	put(s, 1, "one", 100);
	put(s, 2, "two", 200000);
	assert_int_equal(get(s, 1, "one", 100), 0);
	assert_int_equal(get(s, 2, "two", 200000), 0);
	/* Another one in its place. */
	put(s, 1, "other", 7);
	assert_int_equal(get(s, 1, "other", 7), 0);
	parent_store_close(s);
	s = open_store(PARENT_STORE_MAX);
	assert_int_equal(get(s, 2, "two", 200000), 0);
	parent_store_close(s);
}

static void path_of(char *ret, size_t cap, unsigned int n, const char *file)
{
	const struct parent_key key = key_of(n);
	char name[PARENT_ENTRY_NAME];

	parent_store_entry_name(&key, name);
	snprintf(ret, cap, "%s/a/programs/entries/%s/%s", folder, name, file);
}

static void flip(const char *path, off_t at)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void check_thrown_away(struct parent_store *s, unsigned int n)
{
	char path[256];

	assert_int_equal(get(s, n, "one", 100), -ENOENT);
	path_of(path, sizeof(path), n, "");
	assert_int_equal(access(path, F_OK), -1);
	put(s, n, "one", 100);
	assert_int_equal(get(s, n, "one", 100), 0);
}

static void test_damage(void **state)
{
	static const struct {
		const char *file;
		off_t at;
	} bits[] = { { "manifest", 9 }, { "manifest", 50 }, { "manifest", 200 }, { "reply", 1 }, { "0", 99 }, { "1", 0 } };
	struct parent_store *s = open_store(PARENT_STORE_MAX);
	char path[256], other[256];

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		put(s, 1, "one", 100);
		path_of(path, sizeof(path), 1, bits[i].file);
		flip(path, bits[i].at);
		check_thrown_away(s, 1);
	}
	path_of(path, sizeof(path), 1, "0");
	assert_int_equal(truncate(path, 50), 0);
	check_thrown_away(s, 1);
	assert_int_equal(unlink(path), 0);
	check_thrown_away(s, 1);
	/* The same bytes, but not a file of its own. */
	snprintf(other, sizeof(other), "%s/elsewhere", folder);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	check_thrown_away(s, 1);
	path_of(path, sizeof(path), 1, "manifest");
	assert_int_equal(chmod(path, 0666), 0);
	check_thrown_away(s, 1);
	parent_store_close(s);
}

/* An entry under another's name is not that one. */
static void test_moved(void **state)
{
	struct parent_store *s = open_store(PARENT_STORE_MAX);
	char from[256], to[256];

	put(s, 1, "one", 100);
	put(s, 2, "two", 100);
	path_of(from, sizeof(from), 1, "");
	path_of(to, sizeof(to), 2, "");
	assert_int_equal(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE), 0);
	assert_int_equal(get(s, 1, "one", 100), -ENOENT);
	assert_int_equal(get(s, 2, "two", 100), -ENOENT);
	parent_store_close(s);
}

static void test_bound(void **state)
{
	struct parent_store *s = open_store(2u << 20);
	int left = 0;

	for (unsigned int n = 1; n <= 8; n++) {
		put(s, n, "x", 400000);
		usleep(12000); /* file times come in ticks */
		/* The first one is used all the time. */
		assert_int_equal(get(s, 1, "x", 400000), 0);
		usleep(12000);
	}
	for (unsigned int n = 1; n <= 8; n++)
		left += get(s, n, "x", 400000) == 0;
	assert_in_range(left, 2, 5);
	assert_int_equal(get(s, 8, "x", 400000), 0);
	assert_int_equal(get(s, 2, "x", 400000), -ENOENT);
	parent_store_close(s);
}

static void test_wants(void **state)
{
	struct trnc_broker_variant list[TRNC_BROKER_MAX_VARIANTS], v = { .kernel = 3, .local = { 16, 1, 1 } };
	struct parent_store *s = open_store(PARENT_STORE_MAX);
	const struct parent_key key = key_of(1);

	put(s, 1, "one", 100);
	assert_int_equal(parent_store_wanted(s, &key, list), 0);
	parent_store_want(s, &key, &v, 1);
	parent_store_want(s, &key, &v, 1);
	assert_int_equal(parent_store_wanted(s, &key, list), 1);
	assert_memory_equal(&list[0], &v, sizeof(v));
	for (v.kernel = 0; v.kernel < 300; v.kernel++)
		parent_store_want(s, &key, &v, 1);
	assert_int_equal(parent_store_wanted(s, &key, list), TRNC_BROKER_MAX_VARIANTS);
	parent_store_unwant(s, &key);
	assert_int_equal(parent_store_wanted(s, &key, list), 0);
	parent_store_close(s);
}

static void __attribute__((noreturn)) write_on(unsigned int from)
{
	struct parent_store *s = open_store(4u << 20);

	for (unsigned int n = 0;; n++) {
		struct parent_key key = key_of(from + n % 8);
		struct parent_built b;

		make(&b, "x", 100000);
		if (parent_store_put(s, &key, &b) < 0)
			_exit(1);
		parent_built_finish(&b);
	}
}

/* Two write, one reads, and the writers are killed wherever they are. */
static void test_kill(void **state)
{
	unsigned int found = 0;

	for (int round = 0; round < 25; round++) {
		struct parent_store *s;
		pid_t pids[2];

		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (pids[i] == 0)
				write_on(i ? 4 : 0);
		}
		s = open_store(4u << 20);
		for (int i = 0; i < 40; i++) {
			int r = get(s, (unsigned int)i % 12, "x", 100000);

			assert_true(r == 0 || r == -ENOENT);
			found += r == 0;
			usleep((unsigned int)(round * 97 + i * 13) % 1500);
		}
		for (int i = 0; i < 2; i++) {
			int status;

			kill(pids[i], SIGKILL);
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFSIGNALED(status));
		}
		parent_store_close(s);
	}
	assert_true(found > 0);
	/* Nothing of the dead is left once somebody has looked. */
	parent_store_close(open_store(4u << 20));
	{
		char path[128];

		snprintf(path, sizeof(path), "%s/a/programs/tmp", folder);
		assert_int_equal(rmdir(path), 0);
	}
}

/* Others may write there: not a store. */
static void test_refused(void **state)
{
	struct trn_error err = { 0 };
	struct parent_store *s;
	char path[128];

	snprintf(path, sizeof(path), "%s/open", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(parent_store_open(path, 1, &s, &err), -EPERM);
	assert_non_null(strstr(err.text, "others may write"));
	assert_true(parent_store_open("/proc/nowhere", 1, &s, &err) < 0);
}

static void test_names(void **state)
{
	assert_true(parent_name_is_safe("a/b.c/d"));
	assert_false(parent_name_is_safe(""));
	assert_false(parent_name_is_safe("/a"));
	assert_false(parent_name_is_safe("a//b"));
	assert_false(parent_name_is_safe("a/../b"));
	assert_false(parent_name_is_safe(".."));
	assert_false(parent_name_is_safe("a/"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_round_trip), T(test_damage),  T(test_moved), T(test_bound),
		T(test_wants),	    T(test_kill),    T(test_refused), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
