/* SPDX-License-Identifier: MIT */
/* What programs say of the host, and what they say when they are broken. tests/daemon/fake_probe.py stands in, by many names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rmtree.h"
#include "process_world.h"

struct heard {
	unsigned int dones;
	struct trn_error err;
	struct daemon_host_device first, second;
	struct daemon_driver driver;
	struct daemon_driver_type type;
	size_t nr;
	char keys[128];
};

static void handle_opencl(void *data, const struct daemon_host_device *devices, size_t nr, const struct trn_error *err)
{
	struct heard *h = data;

	h->dones++;
	h->nr = nr;
	if (err)
		h->err = *err;
	if (nr > 1) {
		h->first = devices[0];
		h->second = devices[1];
	}
}

static void handle_drivers(void *data, const struct daemon_driver *drivers, size_t nr, const struct trn_error *err)
{
	struct heard *h = data;
	char *keys;

	h->dones++;
	h->nr = nr;
	if (err)
		h->err = *err;
	if (!nr)
		return;
	h->driver = drivers[0];
	h->type = drivers[0].types[0];
	keys = json_dumps(drivers[0].keys, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(h->keys, sizeof(h->keys), "%s", keys);
	free(keys);
	assert_int_equal(drivers[1].nr_types, 0);
}

static void name_program(struct world *w, const char *name)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "%s/fake_probe.py", FAKES);
	snprintf(w->ps->executor_path, sizeof(w->ps->executor_path), "%s/%s", w->dir, name);
	snprintf(w->ps->device_path, sizeof(w->ps->device_path), "%s/%s", w->dir, name);
	(void)unlink(w->ps->executor_path);
	assert_int_equal(symlink(target, w->ps->executor_path), 0);
}

static void test_opencl(void **state)
{
	struct world w = { 0 };
	struct heard h = { 0 };
	struct trn_error err = { 0 };

	world_create(&w);
	name_program(&w, "right");
	assert_int_equal(daemon_probe_opencl(w.ps, handle_opencl, &h, &err), 0);
	assert_int_equal(h.dones, 0);
	world_wait(&w, &h.dones, 1);
	assert_int_equal(h.err.code, 0);
	assert_int_equal(h.nr, 3);
	assert_string_equal(h.first.kind, "cpu");
	assert_string_equal(h.first.name, "Fake \xc3\xa9");
	assert_int_equal(h.first.memory, 1ull << 33);
	assert_int_equal(h.first.units, 2);
	assert_string_equal(h.second.kind, "accel");
	assert_int_equal(strlen(h.second.name), sizeof(h.second.name) - 1);
	assert_int_equal(h.second.memory, 0);
	assert_int_equal(h.second.units, 0);
	world_destroy(&w);
}

static void test_drivers(void **state)
{
	struct world w = { 0 };
	struct heard h = { 0 };
	struct trn_error err = { 0 };

	world_create(&w);
	name_program(&w, "right");
	assert_int_equal(daemon_probe_drivers(w.ps, handle_drivers, &h, &err), 0);
	world_wait(&w, &h.dones, 1);
	assert_int_equal(h.err.code, 0);
	assert_int_equal(h.nr, 2);
	assert_string_equal(h.driver.name, "mtty");
	assert_int_equal(h.driver.capacity.amount[TRN_RESOURCE_UNITS], 24);
	assert_string_equal(h.type.name, "1");
	assert_int_equal(h.type.cost.amount[TRN_RESOURCE_UNITS], 1);
	assert_int_equal(h.type.cost.amount[TRN_RESOURCE_TIME], 2);
	assert_int_equal(h.type.adjustable, 1u << TRN_RESOURCE_MEMORY | 1u << TRN_RESOURCE_UNITS);
	assert_string_equal(h.keys, "[{\"help\":\"h\",\"name\":\"line0\",\"values\":\"pty\"}]");
	world_destroy(&w);
}

static void try_broken(const char *name, int code, const char *text)
{
	struct trn_error err = { 0 };
	struct world w = { 0 };
	struct heard h = { 0 };

	world_create(&w);
	/* A busy machine takes its time until a program says something: only who never ends is not waited for. */
	w.ps->probe_us = strcmp(name, "hangs") == 0 ? 500000 : 15000000;
	name_program(&w, name);
	assert_int_equal(daemon_probe_opencl(w.ps, handle_opencl, &h, &err), 0);
	world_wait(&w, &h.dones, 1);
	if (h.err.code != code || !strstr(h.err.text, text) || !h.err.hint[0])
		fail_msg("%s: %d %s (%s)", name, h.err.code, h.err.text, h.err.hint);
	assert_int_equal(h.nr, 0);
	memset(&h, 0, sizeof(h));
	assert_int_equal(daemon_probe_drivers(w.ps, handle_drivers, &h, &err), 0);
	world_wait(&w, &h.dones, 1);
	assert_int_equal(h.err.code, code);
	assert_int_equal(h.nr, 0);
	world_destroy(&w);
}

static void test_broken(void **state)
{
	try_broken("hangs", -EIO, "did not end in time");
	try_broken("long", -EIO, "more than 1 MiB");
	try_broken("broken", -EPROTO, "no JSON");
	try_broken("no-list", -EPROTO, "without a list");
	try_broken("fails", -EIO, "status 4");
}

static void test_bad_types(void **state)
{
	struct trn_error err = { 0 };
	struct world w = { 0 };
	struct heard h = { 0 };

	world_create(&w);
	name_program(&w, "bad-types");
	assert_int_equal(daemon_probe_drivers(w.ps, handle_drivers, &h, &err), 0);
	world_wait(&w, &h.dones, 1);
	assert_int_equal(h.err.code, -EPROTO);
	world_destroy(&w);
}

/* What a broken driver has started keeps the pipe: it is not waited for, and ended. */
static void test_child_that_hangs(void **state)
{
	struct trn_error err = { 0 };
	struct world w = { 0 };
	struct heard h = { 0 };

	world_create(&w);
	w.ps->probe_us = 15000000;
	name_program(&w, "hangs-below");
	assert_int_equal(daemon_probe_opencl(w.ps, handle_opencl, &h, &err), 0);
	world_wait(&w, &h.dones, 1);
	assert_int_equal(h.err.code, 0);
	assert_int_equal(h.nr, 3);
	world_destroy(&w);
}

static void test_no_program(void **state)
{
	struct trn_error err = { 0 };
	struct world w = { 0 };
	struct heard h = { 0 };

	world_create(&w);
	snprintf(w.ps->executor_path, sizeof(w.ps->executor_path), "/nowhere/tranche-executor");
	assert_refused(daemon_probe_opencl(w.ps, handle_opencl, &h, &err), err, -ENOENT, "CannotStart");
	/* One that runs when all ends. */
	name_program(&w, "hangs");
	assert_int_equal(daemon_probe_opencl(w.ps, handle_opencl, &h, &err), 0);
	world_destroy(&w);
	assert_int_equal(h.dones, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opencl),	  cmocka_unit_test(test_drivers),	   cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bad_types), cmocka_unit_test(test_child_that_hangs), cmocka_unit_test(test_no_program),
	};

	return unit_run(tests);
}
