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
#include "cli/pieces.h"
#include "cli/run_dir.h"
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

/* How OpenCL loaders are told where drivers are. */
static const char *const loader_variables[] = { "OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH", "OCL_ICD_FILENAMES" };

#define NR_LOADER_VARIABLES (sizeof(loader_variables) / sizeof(loader_variables[0]))

/* Under which name the host's value goes on to a "tranche run" inside of this one. */
static void name_for_host(const char *name, char ret[48])
{
	snprintf(ret, 48, "TRANCHE_HOST_%s", name);
}

/* Inside of another "tranche run", the host's OpenCL is still the one that was there outside. */
static void restore_host_environment(void)
{
	for (size_t i = 0; i < NR_LOADER_VARIABLES; i++) {
		const char *value;
		char name[48];

		name_for_host(loader_variables[i], name);
		value = getenv(name);
		if (value && *value)
			setenv(loader_variables[i], value, 1);
		else if (value)
			unsetenv(loader_variables[i]);
	}
}

static void set_device_list(const struct run_dir *dir)
{
	char list[RUN_MAX_DEVICES * sizeof(dir->places[0].socket)] = "";
	char *end = list;

	for (int i = 0; i < dir->nr; i++) {
		if (i)
			*end++ = ':';
		end = stpcpy(end, dir->places[i].socket);
	}
	setenv("TRANCHE_DEVICE", list, 1);
}

/* What the program finds: one vendors folder with either loader, and no library beside it. */
static void set_program_environment(const struct run_dir *dir)
{
	for (size_t i = 0; i < NR_LOADER_VARIABLES; i++) {
		const char *value = getenv(loader_variables[i]);
		char name[48];

		name_for_host(loader_variables[i], name);
		setenv(name, value ? value : "", 1);
	}
	setenv("OCL_ICD_VENDORS", dir->vendors, 1);
	setenv("OPENCL_VENDOR_PATH", dir->vendors, 1);
	unsetenv("OCL_ICD_FILENAMES");
	set_device_list(dir);
}

static int refused_program(const char *name, int error)
{
	log_error("cannot run %s: %s", name, strerror(error));
	return error == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
}

/* The program's wait status in *ret_status, or the exit status of a failure. */
static int run_program(const struct run_options *o, const struct run_dir *dir, const sigset_t *mask, int *ret_status)
{
	pid_t program;

	set_program_environment(dir);
	program = child_start_program(o->program, mask);
	if (program < 0)
		return refused_program(o->program[0], -program);
	*ret_status = child_wait(program);
	return 0;
}

int verb_run(int argc, char **argv)
{
	struct run_options options = { 0 };
	struct trn_error err = { 0 };
	struct running running;
	struct pieces pieces;
	struct run_dir dir;
	int status = 0, failure;
	sigset_t mask;

	failure = run_options_parse(argc, argv, &options);
	if (failure >= 0)
		return failure;
	if (pieces_find(&pieces, &err) || run_dir_create(&dir, options.nr_devices, pieces.driver, &err))
		goto refused;
	child_block_signals(&mask);
	restore_host_environment();
	if (start_devices(&options, &pieces, &dir, &running, &err))
		goto refused_devices;

	failure = run_program(&options, &dir, &mask, &status);
	if (options.stats && !failure)
		print_stats(&options, &running);
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
