/* SPDX-License-Identifier: MIT */
/* tranche run: device processes for one command. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "cli/child.h"
#include "cli/forward.h"
#include "cli/pieces.h"
#include "cli/run_dir.h"
#include "cli/run_env.h"
#include "cli/run_options.h"
#include "cli/stats.h"
#include "cli/verbs.h"
#include "tranche/wire/run.h"

/* Ending sessions kills executors and removes their folders: some milliseconds. */
#define DEVICE_END_MS 5000

/* A random one: version 4, variant 1. */
static void make_uuid(char ret[37])
{
	uint8_t b[16] = { 0 };

	if (getrandom(b, sizeof(b), 0) < 0)
		log_debug("no random bytes: %s", strerror(errno));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* The device processes that were started. */
struct running {
	int nr;
	pid_t device[RUN_MAX_DEVICES];
	int control[RUN_MAX_DEVICES];
};

static pid_t start_device(const struct run_options *o, int i, const struct pieces *pieces, const struct run_dir *dir,
			  int control, struct trn_error *err)
{
	const struct run_place *place = &dir->places[i];
	char uuid[37];
	char *argv[24];
	int n = 0;

	make_uuid(uuid);
#define ARG(text) argv[n++] = (char *)(uintptr_t)(text)
	ARG(pieces->device);
	ARG("--parent"), ARG("compute");
	ARG("--uuid"), ARG(uuid);
	ARG("--fd"), ARG("3");
	ARG("--control-fd"), ARG("4");
	ARG("--runtime-dir"), ARG(place->path);
	ARG("--host-device"), ARG(o->host_devices[i]);
	if (o->memory[i])
		ARG("--memory"), ARG(o->memory[i]);
	if (o->no_fork_server)
		ARG("--no-fork-server");
	if (o->store)
		ARG("--store"), ARG(o->store);
	if (o->no_quick)
		ARG("--no-quick");
	argv[n] = NULL;
#undef ARG
	return child_start_device(argv, place->listener, control, err);
}

static int start_devices(const struct run_options *o, const struct pieces *pieces, struct run_dir *dir,
			 struct running *ret, struct trn_error *err)
{
	for (ret->nr = 0; ret->nr < o->nr_devices; ret->nr++) {
		int i = ret->nr, control[2];

		if (base_socket_pair(control) < 0)
			return trn_error_set(err, -errno, "DeviceStart", "cannot make a socket pair: %s", strerror(errno));
		ret->device[i] = start_device(o, i, pieces, dir, control[1], err);
		base_close(control[1]);
		/* The device's alone: when it is gone, connecting fails. */
		dir->places[i].listener = base_close(dir->places[i].listener);
		if (ret->device[i] < 0) {
			base_close(control[0]);
			return ret->device[i];
		}
		ret->control[i] = control[0];
	}
	return 0;
}

/* All are told before the first is waited for: they end at the same time. */
static void stop_devices(struct running *r)
{
	static const struct trnc_run_request stop = { .what = TRNC_RUN_STOP };

	for (int i = 0; i < r->nr; i++) {
		base_send(r->control[i], &stop, sizeof(stop), NULL, 0);
		base_close(r->control[i]);
	}
	for (int i = 0; i < r->nr; i++)
		child_reap_device(r->device[i], DEVICE_END_MS);
}

static void print_stats(const struct run_options *o, const struct running *r)
{
	char title[64] = "virtual compute device";

	for (int i = 0; i < r->nr; i++) {
		if (r->nr > 1)
			snprintf(title, sizeof(title), "virtual compute device %d, on host device %s", i,
				 o->host_devices[i]);
		stats_print(title, r->control[i]);
	}
	stats_print_store(o->store);
}

/* The sockets, with ":" between them. */
static void list_devices(const struct run_dir *dir, char *ret)
{
	char *end = ret;

	*ret = '\0';
	for (int i = 0; i < dir->nr; i++) {
		if (i)
			*end++ = ':';
		end = stpcpy(end, dir->places[i].socket);
	}
}

/* The program's wait status in *ret_status, or the exit status of a failure. */
static int run_program(const struct run_options *o, const struct run_dir *dir, const sigset_t *mask, int *ret_status)
{
	char devices[RUN_MAX_DEVICES * sizeof(dir->places[0].socket)];

	list_devices(dir, devices);
	run_env_set(dir->vendors, devices);
	return run_env_program(o->program, mask, ret_status);
}

/* A device process of its own, for which tranched is not asked. */
static int run_alone(struct run_options *options)
{
	struct trn_error err = { 0 };
	struct running running;
	struct pieces pieces;
	struct run_dir dir;
	int status = 0, failure;
	sigset_t mask;

	if (pieces_find(&pieces, &err) || run_dir_create(&dir, options->nr_devices, pieces.driver, &err))
		goto refused;
	child_block_signals(&mask);
	run_env_restore_host();
	if (start_devices(options, &pieces, &dir, &running, &err))
		goto refused_devices;

	failure = run_program(options, &dir, &mask, &status);
	if (options->stats && !failure)
		print_stats(options, &running);
	stop_devices(&running);
	run_dir_destroy(&dir);
	if (failure)
		return failure;
	child_exit_like(status);

refused_devices:
	stop_devices(&running);
	run_dir_destroy(&dir);
refused:
	base_log_error(BASE_LOG_ERROR, &err);
	return CLI_REFUSED;
}

/* Parsing cuts lists in argv; tranche-ctl gets it whole. To be freed, strings and all; NULL: no memory. */
static char **copy_arguments(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(char *));

	for (int i = 0; copy && i < argc; i++)
		copy[i] = strdup(argv[i]);
	return copy;
}

int verb_run(int argc, char **argv)
{
	struct run_options options = { 0 };
	char **whole = copy_arguments(argc, argv);
	int r = run_options_parse(argc, argv, &options);

	if (r < 0 && whole && (options.needs_daemon || (!options.is_alone && forward_has_daemon())))
		r = forward_to_ctl(whole);
	for (int i = 0; whole && i < argc; i++)
		free(whole[i]);
	free(whole);
	return r >= 0 ? r : run_alone(&options);
}
