/* SPDX-License-Identifier: MIT */
/* tranche run: one device process for one command. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "base/socket.h"
#include "cli/child.h"
#include "cli/pieces.h"
#include "cli/run_dir.h"
#include "cli/stats.h"
#include "cli/verbs.h"
#include "tranche/wire/run.h"

/* Ending sessions kills executors and removes their folders: some milliseconds. */
#define DEVICE_END_MS 5000

enum { OPT_NO_FORK_SERVER = 256 };

struct run_options {
	const char *memory;	 /* NULL: the host device's own size */
	const char *host_device; /* number as text, checked */
	bool stats;
	bool no_fork_server;
	char **program;
};

static void print_help(void)
{
	printf("tranche run [OPTION...] [--] PROGRAM [ARGUMENT...]\n\n"
	       "Runs a program with a virtual compute device as its only OpenCL platform.\n\n"
	       "  -m, --memory SIZE      memory of the device, such as 512M or 1.5G\n"
	       "                         (default: as much as the host's device has)\n"
	       "  -d, --host-device N    number of the host's OpenCL device, from 0, in the\n"
	       "                         order of \"clinfo -l\" (default: 0)\n"
	       "  -s, --stats            afterwards, tell on stderr what was used\n"
	       "      --no-fork-server   start each program's executor by itself (slower; see\n"
	       "                         tranche-run(1))\n"
	       "  -h, --help             show this text\n\n"
	       "The exit status is the program's. See tranche-run(1).\n");
}

static int usage(const char *what)
{
	log_error("%s; see tranche run --help", what);
	return CLI_USAGE;
}

static bool is_device_number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && n < 1024;
}

/* Said here, too: the device process would say it only when the program is already running. */
static int check_memory(const char *text, struct trn_error *err)
{
	char asked[BASE_SIZE_TEXT], host[BASE_SIZE_TEXT];
	struct sysinfo info;
	uint64_t bytes, total;
	int r = base_size_parse(text, &bytes, err);

	if (r < 0)
		return r;
	total = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : UINT64_MAX;
	if (bytes <= total)
		return 0;
	trn_error_set(err, -E2BIG, "MoreThanHost", "the device's memory is to be %s, this machine has %s",
		      base_size_format(bytes, asked), base_size_format(total, host));
	return trn_error_hint(err, "choose a smaller size with --memory");
}

/* Return: -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct run_options *o)
{
	static const struct option options[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "host-device", required_argument, NULL, 'd' },
		{ "stats", no_argument, NULL, 's' },
		{ "no-fork-server", no_argument, NULL, OPT_NO_FORK_SERVER },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct trn_error err = { 0 };
	char text[160];
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:m:d:sh", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			c = check_memory(optarg, &err);
			if (c < 0) {
				base_log_error(BASE_LOG_ERROR, &err);
				return c == -E2BIG ? CLI_REFUSED : CLI_USAGE;
			}
			o->memory = optarg;
			break;
		case 'd':
			if (!is_device_number(optarg)) {
				snprintf(text, sizeof(text), "--host-device wants a number from 0, not \"%.60s\"", optarg);
				return usage(text);
			}
			o->host_device = optarg;
			break;
		case 's':
			o->stats = true;
			break;
		case OPT_NO_FORK_SERVER:
			o->no_fork_server = true;
			break;
		case 'h':
			print_help();
			return 0;
		case ':':
			snprintf(text, sizeof(text), "option %.60s wants a value", argv[optind - 1]);
			return usage(text);
		default:
			snprintf(text, sizeof(text), "unknown option %.60s", argv[optind - 1]);
			return usage(text);
		}
	}
	if (optind == argc)
		return usage("a program is missing");
	o->program = argv + optind;
	return -1;
}

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

static pid_t start_device(const struct run_options *o, const struct pieces *pieces, const struct run_dir *dir,
			  int control, struct trn_error *err)
{
	char uuid[37];
	char *argv[20];
	int n = 0;

	make_uuid(uuid);
#define ARG(text) argv[n++] = (char *)(uintptr_t)(text)
	ARG(pieces->device);
	ARG("--parent"), ARG("compute");
	ARG("--uuid"), ARG(uuid);
	ARG("--fd"), ARG("3");
	ARG("--control-fd"), ARG("4");
	ARG("--runtime-dir"), ARG(dir->path);
	ARG("--host-device"), ARG(o->host_device);
	if (o->memory)
		ARG("--memory"), ARG(o->memory);
	if (o->no_fork_server)
		ARG("--no-fork-server");
	argv[n] = NULL;
#undef ARG
	return child_start_device(argv, dir->listener, control, err);
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
	setenv("TRANCHE_DEVICE", dir->socket, 1);
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
	static const struct trnc_run_request stop = { .what = TRNC_RUN_STOP };
	struct run_options options = { .host_device = "0" };
	struct trn_error err = { 0 };
	struct pieces pieces;
	struct run_dir dir;
	int control[2], status = 0, failure;
	sigset_t mask;
	pid_t device;

	failure = parse(argc, argv, &options);
	if (failure >= 0)
		return failure;
	if (pieces_find(&pieces, &err) || run_dir_create(&dir, pieces.driver, &err))
		goto refused;
	if (base_socket_pair(control) < 0) {
		trn_error_set(&err, -errno, "DeviceStart", "cannot make a socket pair: %s", strerror(errno));
		goto refused_dir;
	}
	child_block_signals(&mask);
	restore_host_environment();
	device = start_device(&options, &pieces, &dir, control[1], &err);
	base_close(control[1]);
	dir.listener = base_close(dir.listener); /* the device's alone: when it is gone, connecting fails */
	if (device < 0) {
		base_close(control[0]);
		goto refused_dir;
	}

	failure = run_program(&options, &dir, &mask, &status);
	if (options.stats && !failure)
		stats_print(control[0]);
	base_send(control[0], &stop, sizeof(stop), NULL, 0);
	base_close(control[0]);
	child_reap_device(device, DEVICE_END_MS);
	run_dir_destroy(&dir);
	if (failure)
		return failure;
	child_exit_like(status);

refused_dir:
	run_dir_destroy(&dir);
refused:
	base_log_error(BASE_LOG_ERROR, &err);
	return CLI_REFUSED;
}
