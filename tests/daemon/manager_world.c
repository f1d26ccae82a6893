/* SPDX-License-Identifier: MIT */
/* A manager on those processes, and its calls. */
#include "manager_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rmtree.h"

struct world w;

const struct daemon_peer world_admin = { .is_local = true, .right = DAEMON_ADMIN };

/* ------------------------------------------------------------ the manager */

static void hear(void *data, uint64_t seq, const char *kind, json_t *what)
{
	assert_int_equal(seq, json_array_size(w.events) + 1);
	json_array_append_new(w.events, json_pack("[s, O]", kind, what));
}

static void ready(void *data)
{
	w.is_ready = true;
}

void world_make(void)
{
	char *folder;

	memset(&w, 0, sizeof(w));
	snprintf(w.folder, sizeof(w.folder), "/tmp/tranche-world-XXXXXX");
	folder = mkdtemp(w.folder);
	assert_non_null(folder);
	assert_true(asprintf(&w.config.runtime_dir, "%s/r", folder) > 0);
	assert_true(asprintf(&w.config.definitions_dir, "%s/d", folder) > 0);
	mkdir(w.config.runtime_dir, 0700);
	w.config.finds_opencl = true;
	w.running = json_object();
	assert_true(sd_event_new(&w.event) >= 0);
}

void world_start(void)
{
	struct trn_error err = { 0 };

	w.is_ready = false;
	w.events = json_array();
	assert_int_equal(daemon_manager_create(w.event, &w.config, ready, NULL, &w.d, &err), 0);
	w.listener = daemon_listener_add(w.d, hear, NULL);
	world_run();
}

void world_stop(void)
{
	daemon_listener_remove(w.listener);
	daemon_manager_destroy(w.d);
	json_decref(w.events);
	w.d = NULL;
}

void world_destroy(void)
{
	if (w.d)
		world_stop();
	json_decref(w.running);
	json_decref(w.last_options);
	sd_event_unref(w.event);
	free(w.config.runtime_dir);
	free(w.config.definitions_dir);
	assert_int_equal(base_rmtree(AT_FDCWD, w.folder), 0);
}

int world_setup(void **state)
{
	world_make();
	world_start();
	assert_true(w.is_ready);
	return 0;
}

int world_teardown(void **state)
{
	world_destroy();
	return 0;
}

static void answered(struct daemon_call *call, json_t *result, const struct trn_error *err)
{
	struct world_call *c = base_container_of(call, struct world_call, call);

	assert_false(c->is_done);
	c->is_done = true;
	c->result = result;
	if (err)
		c->err = *err;
	assert_true(!err || !result);
}

struct world_call *world_call_new(enum daemon_right right, uid_t uid)
{
	struct world_call *c = calloc(1, sizeof(*c));

	c->peer = (struct daemon_peer){ .is_local = true, .uid = uid, .right = right, .pid = getpid() };
	c->call.peer = &c->peer;
	c->call.peer_pidfd = -1;
	c->call.done = answered;
	return c;
}

void world_call_free(struct world_call *c)
{
	json_decref(c->result);
	free(c);
}

void world_cancel(struct world_call *c)
{
	assert_false(c->is_done);
	if (c->call.cancel)
		c->call.cancel(&c->call);
}

json_t *world_json(const char *text)
{
	char *copy = text ? strdup(text) : NULL;
	json_error_t where;
	json_t *json;

	for (char *s = copy; s && *s; s++)
		if (*s == '\'')
			*s = '"';
	json = copy ? json_loads(copy, JSON_DECODE_ANY, &where) : NULL;
	assert_true(!text || json);
	free(copy);
	return json;
}

struct world_call *world_begin(void (*fn)(struct world_call *c, const void *arg, json_t *body), const void *arg, const char *body)
{
	struct world_call *c = world_call_new(DAEMON_ADMIN, 0);
	json_t *json = world_json(body);

	fn(c, arg, json);
	json_decref(json);
	return c;
}

json_t *world_ask(void (*fn)(struct world_call *c, const void *arg, json_t *body), const void *arg, const char *body,
		  struct trn_error *err)
{
	struct world_call *c = world_begin(fn, arg, body);
	json_t *result;

	world_run();
	assert_true(c->is_done);
	if (err)
		*err = c->err;
	else if (c->err.code)
		fail_msg("refused: %s", c->err.text);
	result = json_incref(c->result);
	world_call_free(c);
	return result;
}

void world_post_device(struct world_call *c, const void *arg, json_t *body)
{
	daemon_post_device(w.d, &c->call, body);
}

void world_patch_device(struct world_call *c, const void *uuid, json_t *body)
{
	daemon_patch_device(w.d, &c->call, uuid, body);
}

void world_delete_device(struct world_call *c, const void *uuid, json_t *query)
{
	daemon_delete_device(w.d, &c->call, uuid, query);
}

void world_post_definition(struct world_call *c, const void *arg, json_t *body)
{
	daemon_post_definition(w.d, &c->call, body);
}

void world_patch_definition(struct world_call *c, const void *uuid, json_t *body)
{
	daemon_patch_definition(w.d, &c->call, uuid, body);
}

void world_delete_definition(struct world_call *c, const void *uuid, json_t *body)
{
	daemon_delete_definition(w.d, &c->call, uuid);
}

void world_start_definition(struct world_call *c, const void *uuid, json_t *body)
{
	daemon_start_definition(w.d, &c->call, uuid);
}

void world_post_parent(struct world_call *c, const void *arg, json_t *body)
{
	daemon_post_parent(w.d, &c->call, body);
}

void world_delete_parent(struct world_call *c, const void *name, json_t *query)
{
	daemon_delete_parent(w.d, &c->call, name, query);
}

void world_patch_schedule(struct world_call *c, const void *name, json_t *body)
{
	daemon_patch_schedule(w.d, &c->call, name, body);
}

/* ------------------------------------------------------------ looking */

static const struct daemon_peer admin = { .is_local = true, .right = DAEMON_ADMIN };

uint64_t world_left(const char *parent, const char *resource)
{
	json_t *json = NULL;
	uint64_t left;

	assert_int_equal(daemon_get_parents(w.d, &admin, parent, &json, NULL), 0);
	left = (uint64_t)json_integer_value(json_object_get(json_object_get(json, "left"), resource));
	json_decref(json);
	return left;
}

unsigned int world_nr_devices(void)
{
	json_t *json = NULL;
	unsigned int nr;

	assert_int_equal(daemon_get_devices(w.d, &admin, NULL, &json, NULL), 0);
	nr = (unsigned int)json_array_size(json_object_get(json, "devices"));
	json_decref(json);
	return nr;
}

unsigned int world_nr_events(const char *kind)
{
	unsigned int nr = 0;
	json_t *event;
	size_t i;

	json_array_foreach(w.events, i, event)
		nr += !strcmp(json_string_value(json_array_get(event, 0)), kind);
	return nr;
}

const char *world_uuid(unsigned int n)
{
	static char text[8][TRN_UUID_SIZE];

	snprintf(text[n % 8], TRN_UUID_SIZE, "10000000-2000-4000-8000-%012u", n);
	return text[n % 8];
}

void world_add_one(void)
{
	json_decref(world_ask(world_post_device, NULL, WORLD_ONE, NULL));
	assert_int_equal(world_nr_devices(), 1);
}

void world_assert_empty(void)
{
	assert_int_equal(world_nr_devices(), 0);
	assert_int_equal(world_nr_processes(), 0);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL);
	assert_int_equal(world_left("cpu0", "time"), 1000);
}
