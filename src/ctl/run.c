/* SPDX-License-Identifier: MIT */
/* tranche run, on devices of tranched's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "cli/child.h"
#include "cli/pieces.h"
#include "cli/run_dir.h"
#include "cli/run_env.h"
#include "cli/run_options.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

/* More would not fit where the driver looks. */
#define MOST_PATH 108

struct run {
	struct ctl c;
	struct run_options options;
	json_t *parents; /* NULL: not asked for yet */
	int nr;
	char uuids[RUN_MAX_DEVICES][CTL_UUID_TEXT];
	char sockets[RUN_MAX_DEVICES * MOST_PATH]; /* ":" between them */
};

/* The parent of one of the host's devices; NULL: there is none. Borrowed. */
static const char *parent_of(json_t *parents, const char *host_device)
{
	json_t *p;
	size_t i;

	json_array_foreach(parents, i, p) {
		json_t *index = json_object_get(json_object_get(p, "host_device"), "index");

		if (json_is_integer(index) && json_integer_value(index) == atoi(host_device))
			return ctl_text_of(p, "name");
	}
	return NULL;
}

static int take_parent(struct run *r, int i, json_t *body)
{
	const char *parent = r->options.parent;
	int e;

	if (!parent && !r->parents) {
		e = ctl_get_list(&r->c, "parents", &r->parents);
		if (e < 0)
			return e;
	}
	if (!parent)
		parent = parent_of(r->parents, r->options.host_devices[i]);
	if (!parent) {
		trn_error_set(&r->c.err, -ENODEV, "NoParent", "tranched has no parent on host device %s", r->options.host_devices[i]);
		return trn_error_hint(&r->c.err, "see \"tranche parents\", or go without it: tranche run --alone");
	}
	return json_object_set_new(body, "parent", json_string(parent));
}

static int make_body(struct run *r, int i, json_t *body)
{
	const char *memory = r->options.memory[i], *type = r->options.type;
	uint64_t bytes;
	int e;

	json_object_set_new(body, "lifetime", json_string("process"));
	json_object_set_new(body, "type", json_string(type ? type : "compute"));
	if (memory) {
		e = base_size_parse(memory, &bytes, &r->c.err);
		if (e < 0)
			return e;
		json_object_set_new(body, "memory", json_integer((json_int_t)bytes));
	}
	if (r->options.time) {
		json_t *percent = ctl_parse_percent(r->options.time);

		if (!percent)
			return trn_error_set(&r->c.err, -EINVAL, "BadTime", "--time wants a percentage from 0.1 to 100, not \"%.40s\"",
					     r->options.time);
		json_object_set_new(body, "time", percent);
	}
	return take_parent(r, i, body);
}

static int take_device(struct run *r, json_t *device)
{
	const char *uuid = ctl_text_of(device, "uuid"), *socket = ctl_text_of(device, "socket");
	size_t len = strlen(r->sockets);

	if (strlen(uuid) >= CTL_UUID_TEXT || !*socket || strlen(socket) >= MOST_PATH || strchr(socket, ':'))
		return trn_error_set(&r->c.err, -EPROTO, "NotUnderstood", "tranched's answer names no device");
	memcpy(r->uuids[r->nr++], uuid, strlen(uuid) + 1);
	if (strcmp(ctl_text_of(device, "device_api"), "compute")) {
		trn_error_set(&r->c.err, -EOPNOTSUPP, "ForMachines", "devices of type %.60s are for virtual machines, not for programs",
			      ctl_text_of(device, "type"));
		return trn_error_hint(&r->c.err, "leave --type out, or choose one that \"tranche types\" tells to be of API compute");
	}
	snprintf(r->sockets + len, sizeof(r->sockets) - len, "%s%s", len ? ":" : "", socket);
	return 0;
}

static int start_one(struct run *r, int i)
{
	json_t *body = json_object(), *device = NULL;
	int e = make_body(r, i, body);

	if (e == 0)
		e = ctl_post(&r->c, api_path("/v1/devices", NULL), body, &device);
	if (e == 0)
		e = take_device(r, device);
	json_decref(device);
	json_decref(body);
	return e;
}

static int start_all(struct run *r)
{
	int e = 0;

	for (int i = 0; e == 0 && i < r->options.nr_devices; i++)
		e = start_one(r, i);
	return e;
}

/* tranched does it as well when this process has ended, however. */
static void stop_all(struct run *r)
{
	for (int i = 0; i < r->nr; i++) {
		memset(&r->c.err, 0, sizeof(r->c.err));
		if (ctl_delete(&r->c, api_path("/v1/devices/", r->uuids[i], "?policy=force", NULL)) < 0)
			log_debug("device %s: %s", r->uuids[i], r->c.err.text);
	}
}

static void close_api(struct run *r)
{
	api_close(r->c.api);
	r->c.api = NULL;
}

/* Today's way, which needs nobody. */
static int run_alone(char **argv)
{
	struct trn_error err = { 0 };
	char tranche[PATH_MAX];
	char **more;
	int n = 0;

	while (argv[n])
		n++;
	more = calloc((size_t)n + 3, sizeof(char *));
	if (!more || pieces_find_tranche(tranche, &err) < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		free(more);
		return CLI_REFUSED;
	}
	more[0] = tranche;
	more[1] = argv[0];
	more[2] = (char *)(uintptr_t)"--alone";
	memcpy(&more[3], &argv[1], (size_t)(n - 1) * sizeof(char *));
	execv(tranche, more);
	log_error("cannot run %s: %s", tranche, strerror(errno));
	free(more);
	return CLI_REFUSED;
}

/* What is no reason not to run the program. */
static bool can_go_alone(const struct run *r, int e)
{
	return !r->options.needs_daemon && r->nr == 0 &&
	       (api_is_no_daemon(&r->c.err) || e == -EACCES || e == -EPERM || (e == -ENODEV && r->parents));
}

static int run_program(struct run *r)
{
	struct pieces pieces;
	struct run_dir dir;
	int status = 0, failure;
	sigset_t mask;

	if (pieces_find(&pieces, &r->c.err) || run_dir_create(&dir, 0, pieces.driver, &r->c.err)) {
		base_log_error(BASE_LOG_ERROR, &r->c.err);
		stop_all(r);
		return CLI_REFUSED;
	}
	/* The program gets nothing of ours. */
	close_api(r);
	child_block_signals(&mask);
	run_env_restore_host();
	run_env_set(dir.vendors, r->sockets);
	failure = run_env_program(r->options.program, &mask, &status);
	stop_all(r);
	close_api(r);
	run_dir_destroy(&dir);
	if (failure)
		return failure;
	child_exit_like(status);
}

static char **copy_arguments(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(char *));

	for (int i = 0; copy && i < argc; i++)
		copy[i] = strdup(argv[i]);
	return copy;
}

static int run(struct run *r, char **whole)
{
	int e = start_all(r);

	json_decref(r->parents);
	if (e == 0)
		return run_program(r);
	if (can_go_alone(r, e)) {
		log_debug("%s; going without tranched", r->c.err.text);
		close_api(r);
		return run_alone(whole);
	}
	base_log_error(BASE_LOG_ERROR, &r->c.err);
	stop_all(r);
	close_api(r);
	return CLI_REFUSED;
}

int ctl_run(int argc, char **argv)
{
	struct run r = { .c = { .cancel_fd = -1 } };
	char **whole = copy_arguments(argc, argv);
	int e = run_options_parse(argc, argv, &r.options);

	if (e < 0)
		e = whole ? run(&r, whole) : CLI_REFUSED;
	for (int i = 0; whole && i < argc; i++)
		free(whole[i]);
	free(whole);
	return e;
}
