/* SPDX-License-Identifier: MIT */
/* Users of one host who would do each other, or the host, harm: others' UUIDs, options that name files, links in the runtime directory. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager_world.h"

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
#define ONE "'uuid':'10000000-2000-4000-8000-000000000001'"
#define COMPUTE ",'parent':'cpu0','type':'compute-1g'"
#define PLACE ",'options':{'line0':'unix:/etc/place'}"

/* What user 1000, who may use devices, is told. */
static struct trn_error try(void (*fn)(struct world_call *c, const void *arg, json_t *body), const void *arg, const char *text)
{
	struct world_call *c = world_call_new(DAEMON_USE, 1000);
	json_t *body = world_json(text);
	struct trn_error err;

	fn(c, arg, body);
	json_decref(body);
	world_run();
	assert_true(c->is_done);
	err = c->err;
	world_call_free(c);
	return err;
}

static void test_uuid_that_another_has_defined(void **state)
{
	struct trn_error err;

	json_decref(world_ask(world_post_definition, NULL, "{" ONE COMPUTE ",'owner':1001}", NULL));
	err = try(world_post_device, NULL, "{" ONE COMPUTE "}");
	assert_refused(err.code, err, -EACCES, "NotOwner");
	json_decref(world_ask(world_patch_definition, world_uuid(1), "{'owner':1000}", NULL));
	assert_int_equal(try(world_post_device, NULL, "{" ONE COMPUTE "}").code, 0);
}

static void test_uuid_that_another_runs(void **state)
{
	struct trn_error err;

	json_decref(world_ask(world_post_device, NULL, "{" ONE COMPUTE ",'owner':1001}", NULL));
	err = try(world_post_definition, NULL, "{" ONE COMPUTE "}");
	assert_refused(err.code, err, -EACCES, "NotOwner");
}

static void test_options_that_name_files(void **state)
{
	struct trn_error err;

	err = try(world_post_device, NULL, "{" ONE COMPUTE PLACE "}");
	assert_refused(err.code, err, -EACCES, "NotAllowed");
	err = try(world_post_definition, NULL, "{" ONE COMPUTE PLACE "}");
	assert_refused(err.code, err, -EACCES, "NotAllowed");
	assert_int_equal(try(world_post_definition, NULL, "{" ONE COMPUTE ",'options':{'line0':'pty'}}").code, 0);
	err = try(world_patch_definition, world_uuid(1), "{'options':{'line0':'pty:link'}}");
	assert_refused(err.code, err, -EACCES, "NotAllowed");
	/* What an administrator has chosen stays, whatever else its owner changes. */
	json_decref(world_ask(world_patch_definition, world_uuid(1), "{'options':{'line0':'unix:/run/x'}}", NULL));
	assert_int_equal(try(world_patch_definition, world_uuid(1), "{'vm':'web1'}").code, 0);
	assert_int_equal(try(world_start_definition, world_uuid(1), "{}").code, 0);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* The runtime directory may belong to the user of device processes. */
static void test_links_in_the_runtime_directory(void **state)
{
	char victim[160], folder[160], path[200];
	int fd;

	snprintf(victim, sizeof(victim), "%s/victim", w.folder);
	fd = open(victim, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(folder, sizeof(folder), "%s/kept", w.config.runtime_dir);
	snprintf(path, sizeof(path), "%s/cpu0.new", folder);
	assert_int_equal(symlink(victim, path), 0);
	json_decref(world_ask(world_patch_schedule, "cpu0", "{'policy':'equal'}", NULL));
	assert_int_equal(size_of(victim), 0);

	/* All of the folder replaced by another one. */
	snprintf(path, sizeof(path), "%s/moved", w.config.runtime_dir);
	assert_int_equal(rename(folder, path), 0);
	snprintf(path, sizeof(path), "%s/elsewhere", w.folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink(path, folder), 0);
	json_decref(world_ask(world_patch_schedule, "cpu0", "{'policy':'fixed'}", NULL));
	snprintf(path, sizeof(path), "%s/elsewhere/cpu0.json", w.folder);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_uuid_that_another_has_defined),
		T(test_uuid_that_another_runs),
		T(test_options_that_name_files),
		T(test_links_in_the_runtime_directory),
	};

	return unit_run(tests);
}
