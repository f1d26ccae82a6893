/* SPDX-License-Identifier: MIT */
/* Definitions: on disk first, whole or not at all; what is wrong there is named and skipped; strict bodies (C9, C31). */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/definition_file.h"
#include "manager_world.h"

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
#define ONE "{'uuid':'10000000-2000-4000-8000-000000000001','parent':'cpu0','type':'compute-1g'}"

static unsigned int nr_files(void)
{
	DIR *dir = opendir(w.config.definitions_dir);
	unsigned int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

static unsigned int nr_definitions(void)
{
	json_t *json = NULL;
	unsigned int nr;

	assert_int_equal(daemon_get_definitions(w.d, &world_admin, NULL, &json, NULL), 0);
	nr = (unsigned int)json_array_size(json_object_get(json, "definitions"));
	json_decref(json);
	return nr;
}

static json_t *problems(void)
{
	json_t *json = NULL, *list;

	assert_int_equal(daemon_get_about(w.d, &world_admin, &json, NULL), 0);
	list = json_incref(json_object_get(json, "problems"));
	json_decref(json);
	return list;
}

static void test_survives_a_restart(void **state)
{
	json_t *json;

	json_decref(world_ask(world_post_definition, NULL,
			      "{'uuid':'10000000-2000-4000-8000-000000000001','parent':'cpu0','type':'compute-custom','start':'auto',"
			      "'memory':1073741824,'time':12.5,'owner':0,'vm':'web1','attrs':[{'vm':'web2'}],'options':{'a':'b'}}", NULL));
	json_decref(world_ask(world_patch_definition, world_uuid(1), "{'time':null,'vm':'web3'}", NULL));
	world_stop();
	world_start();
	assert_int_equal(nr_definitions(), 1);
	assert_int_equal(daemon_get_definitions(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "memory")), WORLD_GIB);
	assert_true(json_is_null(json_object_get(json, "time")));
	assert_string_equal(json_string_value(json_object_get(json, "vm")), "web3");
	assert_string_equal(json_string_value(json_object_get(json, "start")), "auto");
	assert_string_equal(json_string_value(json_object_get(json_object_get(json, "options"), "a")), "b");
	json_decref(json);
	json_decref(world_ask(world_delete_definition, world_uuid(1), NULL, NULL));
	assert_int_equal(nr_files(), 0);
	world_stop();
	world_start();
	assert_int_equal(nr_definitions(), 0);
}

static void test_start_and_events(void **state)
{
	struct trn_error err = { 0 };
	json_t *json;

	json_decref(world_ask(world_post_definition, NULL, ONE, NULL));
	json = world_ask(world_start_definition, world_uuid(1), NULL, NULL);
	assert_true(json_is_true(json_object_get(json, "defined")));
	json_decref(json);
	assert_int_equal(world_nr_events("definition-changed"), 1); /* it runs */
	world_ask(world_start_definition, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -EEXIST, "UuidInUse");
	json_decref(world_ask(world_delete_definition, world_uuid(1), NULL, NULL));
	assert_int_equal(world_nr_devices(), 1);
	world_ask(world_start_definition, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -ENOENT, "NoSuchDefinition");
	assert_int_equal(world_nr_events("definition-added"), 1);
	assert_int_equal(world_nr_events("definition-removed"), 1);
	assert_int_equal(world_nr_events("definition-changed"), 1);
}

static void test_running_is_told(void **state)
{
	json_decref(world_ask(world_post_definition, NULL, ONE, NULL));
	json_decref(world_ask(world_start_definition, world_uuid(1), NULL, NULL));
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	assert_int_equal(world_nr_events("definition-changed"), 2);
	json_decref(world_ask(world_start_definition, world_uuid(1), NULL, NULL));
	world_end(world_uuid(1));
	assert_int_equal(world_nr_events("definition-changed"), 4);
}

/* When it is defined, not when somebody needs it. */
static void test_what_its_type_cannot_have(void **state)
{
	struct trn_error err = { 0 };
	json_t *json;

	world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-1g','memory':2147483648}", &err);
	assert_refused(err.code, err, -EINVAL, "FixedMemory");
	world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-1g','attrs':[{'memory':'2G'}]}", &err);
	assert_refused(err.code, err, -EINVAL, "FixedMemory");
	json_decref(world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-1g','memory':1073741824}", NULL));
	json_decref(world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-custom','memory':2147483648}", NULL));
	json_decref(world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute','memory':2147483648}", NULL));
	json_decref(world_ask(world_post_definition, NULL, "{'parent':'later','type':'compute-1g','memory':2147483648}", NULL));
	json_decref(world_ask(world_post_definition, NULL, ONE, NULL));
	world_ask(world_patch_definition, world_uuid(1), "{'memory':2147483648}", &err);
	assert_refused(err.code, err, -EINVAL, "FixedMemory");
	json = world_ask(world_patch_definition, world_uuid(1), "{'memory':2147483648,'type':'compute-custom'}", NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "memory")), 2 * WORLD_GIB);
	json_decref(json);
}

static void test_c09_c31_bodies_are_read_strictly(void **state)
{
	static const struct { const char *body, *says; } bad[] = {
		{ "[]", "the body is an array" },
		{ "{'parent':'cpu0'}", "needs a type" },
		{ "{'type':'compute-1g'}", "needs a parent" },
		{ "{'parent':'cpu0','type':'compute-1g','colour':'red'}", "\"colour\"" },
		{ "{'parent':5,'type':'compute-1g'}", "parent is the number 5" },
		{ "{'parent':'../x','type':'compute-1g'}", "parent is \"../x\"" },
		{ "{'parent':'cpu0','type':'compute-9g'}", "no type compute-9g" },
		{ "{'parent':'cpu0','type':'compute-1g','memory':'1G'}", "memory is \"1G\"" },
		{ "{'parent':'cpu0','type':'compute-1g','memory':-1}", "memory is the number -1" },
		{ "{'parent':'cpu0','type':'compute-1g','attrs':[{'memory':'8856057604G'}]}", "more than any device can have" },
		{ "{'parent':'cpu0','type':'compute-1g','time':0}", "time is the number 0" },
		{ "{'parent':'cpu0','type':'compute-1g','time':12.34}", "time is the number 12.34" },
		{ "{'parent':'cpu0','type':'compute-1g','start':'later'}", "start is \"later\"" },
		{ "{'parent':'cpu0','type':'compute-1g','owner':'nobody-of-that-name'}", "owner is \"nobody" },
		{ "{'parent':'cpu0','type':'compute-1g','vm':['x']}", "vm is an array" },
		{ "{'parent':'cpu0','type':'compute-1g','attrs':[{'a':'b'}]}", "attribute \"a\"" },
		{ "{'parent':'cpu0','type':'compute-1g','attrs':[{'memory':'much'}]}", "'much'" },
		{ "{'parent':'cpu0','type':'compute-1g','attrs':[{}]}", "attrs is an object" },
		{ "{'parent':'cpu0','type':'compute-1g','options':{'a b':'c'}}", "\"a b\"" },
		{ "{'parent':'cpu0','type':'compute-1g','options':{'a':1}}", "a is the number 1" },
		{ "{'parent':'cpu0','type':'compute-1g','uuid':'10000000-2000-4000-8000-00000000000g'}", "UUID" },
		{ "{'parent':'cpu0','type':'compute-1g','uuid':null}", "uuid is null" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct trn_error err = { 0 };

		world_ask(world_post_definition, NULL, bad[i].body, &err);
		if (err.code != -EINVAL || !strstr(err.text, bad[i].says) || !err.hint[0])
			fail_msg("%s: %d, \"%s\" (%s)", bad[i].body, err.code, err.text, err.hint);
	}
	assert_int_equal(nr_definitions(), 0);
	assert_int_equal(nr_files(), 0);
}

static void write_file(const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w.config.definitions_dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(text, 1, len, f);
	fclose(f);
}

/* Each is named, and the good one works. */
static void test_corrupt_files_are_named_and_skipped(void **state)
{
	static const char *const names[] = {
		"10000000-2000-4000-8000-000000000002.json", /* torn */
		"10000000-2000-4000-8000-000000000003.json", /* of another UUID */
		"10000000-2000-4000-8000-000000000004.json", /* a link */
		"10000000-2000-4000-8000-000000000005.json", /* a folder */
		"10000000-2000-4000-8000-000000000006.json", /* too large */
		"10000000-2000-4000-8000-000000000007.json", /* an unknown field */
		"10000000-2000-4000-8000-000000000008.json", /* a fifo */
		"10000000-2000-4000-8000-00000000000A.json", /* not in lower case */
		"README",
	};
	static const char one[] = "{\"uuid\":\"10000000-2000-4000-8000-000000000001\",\"parent\":\"cpu0\",\"type\":\"compute-1g\"}";
	static const char four[] = "{\"uuid\":\"10000000-2000-4000-8000-000000000004\",\"parent\":\"x\",\"type\":\"y\"}";
	static const char two[] = "{\"uuid\":\"10000000-2000-4000-8000-000000000002\",\"parent\":\"x\",\"type\":\"y\"}";
	char path[256], *large = calloc(1, DAEMON_DEFINITION_MAX + 1);
	json_t *list, *problem;
	size_t i;

	json_decref(world_ask(world_post_definition, NULL, ONE, NULL));
	world_stop();
	write_file(names[0], one, 20);
	write_file(names[1], one, strlen(one));
	/* What it points to would be a good one. */
	write_file("../elsewhere", four, strlen(four));
	snprintf(path, sizeof(path), "%s/%s", w.config.definitions_dir, names[2]);
	assert_int_equal(symlink("../elsewhere", path), 0);
	snprintf(path, sizeof(path), "%s/%s", w.config.definitions_dir, names[3]);
	assert_int_equal(mkdir(path, 0700), 0);
	memset(large, ' ', DAEMON_DEFINITION_MAX);
	write_file(names[4], large, DAEMON_DEFINITION_MAX);
	free(large);
	write_file(names[5], "{\"x\":1}", 7);
	snprintf(path, sizeof(path), "%s/%s", w.config.definitions_dir, names[6]);
	assert_int_equal(mkfifo(path, 0600), 0);
	write_file(names[7], one, strlen(one));
	write_file(names[8], "hello", 5);
	write_file(".new-10000000-2000-4000-8000-000000000009", one, 10);
	world_start();
	assert_int_equal(nr_definitions(), 1);
	list = problems();
	assert_int_equal(json_array_size(list), sizeof(names) / sizeof(*names));
	json_array_foreach(list, i, problem) {
		const char *file = json_string_value(json_object_get(problem, "file"));
		bool is_named = false;

		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			is_named |= strstr(file, names[k]) && strstr(json_string_value(json_object_get(problem, "message")), names[k]);
		assert_true(is_named);
	}
	json_decref(list);
	/* What is mended is there after a reload, and heard of. */
	write_file(names[0], two, strlen(two));
	snprintf(path, sizeof(path), "%s/%s.json", w.config.definitions_dir, world_uuid(1));
	assert_int_equal(unlink(path), 0);
	daemon_manager_reload(w.d, &w.config);
	world_run();
	assert_int_equal(nr_definitions(), 1);
	assert_int_equal(world_nr_events("definition-added"), 1);
	assert_int_equal(world_nr_events("definition-removed"), 1);
	/* The leftover of a write that was cut off is gone. */
	assert_int_equal(nr_files(), sizeof(names) / sizeof(*names));
}

static void test_a_file_that_cannot_be_written_changes_nothing(void **state)
{
	struct rlimit was, none;
	struct trn_error err = { 0 };
	json_t *json;

	json_decref(world_ask(world_post_definition, NULL, ONE, NULL));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = was;
	none.rlim_cur = 16;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	world_ask(world_patch_definition, world_uuid(1), "{'vm':'new'}", &err);
	world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-1g'}", &(struct trn_error){ 0 });
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_refused(err.code, err, -EFBIG, "DiskFailed");
	assert_int_equal(nr_definitions(), 1);
	assert_int_equal(nr_files(), 1);
	world_stop();
	world_start();
	assert_int_equal(daemon_get_definitions(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_true(json_is_null(json_object_get(json, "vm")));
	json_decref(json);
}

/* A disk that is full, and one that is read-only: where a tiny one can be mounted. */
static void test_full_and_read_only_disk(void **state)
{
	const char *dir = w.config.definitions_dir;
	struct trn_error err = { 0 };
	unsigned int nr = 0;

	if (mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		skip();
	while (!err.code && nr < 1000) {
		json_decref(world_ask(world_post_definition, NULL, "{'parent':'cpu0','type':'compute-1g'}", &err));
		nr += !err.code;
	}
	assert_refused(err.code, err, -ENOSPC, "NoSpace");
	assert_true(nr > 2);
	assert_int_equal(nr_definitions(), nr);
	assert_int_equal(nr_files(), nr);
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	world_ask(world_post_definition, NULL, ONE, &err);
	assert_refused(err.code, err, -EROFS, "DiskFailed");
	world_stop();
	world_start();
	assert_int_equal(nr_definitions(), nr);
	world_stop();
	assert_int_equal(umount(dir), 0);
}

static void test_rights(void **state)
{
	struct world_call *c = world_call_new(DAEMON_USE, 1000);
	json_t *body = world_json(ONE);

	world_post_definition(c, NULL, body);
	assert_answered(c);
	assert_false(json_is_null(json_object_get(c->result, "owner")));
	world_call_free(c);
	c = world_call_new(DAEMON_USE, 1001);
	world_delete_definition(c, world_uuid(1), NULL);
	assert_answer_refused(c, -EACCES, "NotOwner");
	world_call_free(c);
	c = world_call_new(DAEMON_USE, 1001);
	world_start_definition(c, world_uuid(1), NULL);
	assert_answer_refused(c, -EACCES, "NotOwner");
	world_call_free(c);
	json_decref(body);
	/* Nobody makes a gift of what is not his. */
	c = world_call_new(DAEMON_USE, 1000);
	body = world_json("{'attrs':[{'owner':'1001'}]}");
	world_patch_definition(c, world_uuid(1), body);
	assert_answer_refused(c, -EACCES, "NotOwner");
	world_call_free(c);
	json_decref(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_survives_a_restart),
		T(test_start_and_events),
		T(test_running_is_told),
		T(test_what_its_type_cannot_have),
		T(test_c09_c31_bodies_are_read_strictly),
		T(test_corrupt_files_are_named_and_skipped),
		T(test_a_file_that_cannot_be_written_changes_nothing),
		T(test_full_and_read_only_disk),
		T(test_rights),
	};

	return unit_run(tests);
}
