/* SPDX-License-Identifier: MIT */
#include "cli/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/log.h"
#include "base/size.h"
#include "cli/verbs.h"
#include "base/store_place.h"

enum { OPT_NO_FORK_SERVER = 256, OPT_NO_QUICK, OPT_STORE, OPT_TIME, OPT_ALONE };

static void print_help(void)
{
	printf("tranche run [OPTION...] [--] PROGRAM [ARGUMENT...]\n\n"
	       "Runs a program with virtual compute devices as its only OpenCL platform.\n\n"
	       "  -d, --host-device N[,N...]\n"
	       "                         a virtual device on each of these host devices, numbered\n"
	       "                         from 0 in the order of \"clinfo -l\" (default: one, on 0)\n"
	       "  -m, --memory SIZE[,SIZE...]\n"
	       "                         memory of each device, such as 512M or 1.5G, or one size\n"
	       "                         for all (default: as much as the host's device has)\n"
	       "  -p, --parent NAME      the devices are of this parent of tranched's\n"
	       "  -t, --type TYPE        and of this type; see \"tranche types\"\n"
	       "      --time PERCENT     and have this share of the host device's time\n"
	       "      --alone            do not ask tranched, also when there is one\n"
	       "  -s, --stats            afterwards, tell on stderr what was used\n"
	       "      --store DIR|none   where compiled programs are kept (default: $TRANCHE_STORE or\n"
	       "                         ~/.cache/tranche/programs)\n"
	       "      --no-quick         short kernels run on the host's workers, like all others\n"
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

/* Cuts a list at its commas, in place. Return: how many words, -E2BIG for more than there may be. */
static int split(char *list, const char *ret[RUN_MAX_DEVICES])
{
	int nr = 0;

	for (char *word; (word = strsep(&list, ","));) {
		if (nr == RUN_MAX_DEVICES)
			return -E2BIG;
		ret[nr++] = word;
	}
	return nr;
}

static int too_many(void)
{
	char text[64];

	snprintf(text, sizeof(text), "at most %d devices are possible", RUN_MAX_DEVICES);
	return usage(text);
}

/* These three return: -1 to go on, else the exit status. */
static int take_host_devices(struct run_options *o, char *list)
{
	char text[160];
	int nr = split(list, o->host_devices);

	if (nr < 0)
		return too_many();
	for (int i = 0; i < nr; i++) {
		if (is_device_number(o->host_devices[i]))
			continue;
		snprintf(text, sizeof(text), "--host-device wants numbers from 0, such as 0 or 0,1, not \"%.60s\"",
			 o->host_devices[i]);
		return usage(text);
	}
	o->nr_devices = nr;
	o->has_host_devices = true;
	return -1;
}

static int take_memory(struct run_options *o, char *list)
{
	struct trn_error err = { 0 };
	int nr = split(list, o->memory);

	if (nr < 0)
		return too_many();
	for (int i = 0; i < nr; i++) {
		int r = check_memory(o->memory[i], &err);

		if (r < 0) {
			base_log_error(BASE_LOG_ERROR, &err);
			return r == -E2BIG ? CLI_REFUSED : CLI_USAGE;
		}
	}
	o->nr_sizes = nr;
	return -1;
}

static int take_store(struct run_options *o, const char *text)
{
	struct trn_error err = { 0 };

	if (!*text)
		return usage("--store wants a folder, or none");
	free(o->store);
	o->store = NULL;
	/* Ours, too: --stats looks there. */
	if (base_store_choose(text, &o->store, &err) < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return CLI_REFUSED;
	}
	return -1;
}

static int complete(struct run_options *o)
{
	char text[80];

	o->needs_daemon = o->parent || o->type || o->time;
	if (o->needs_daemon && o->is_alone)
		return usage("--parent, --type and --time are for devices of tranched's; "
			     "--alone, --stats, --store and --no-... for others");
	if (o->parent && o->has_host_devices)
		return usage("--parent and --host-device exclude each other");
	if (o->nr_devices == 0)
		o->host_devices[o->nr_devices++] = "0";
	if (o->nr_sizes > 1 && o->nr_sizes != o->nr_devices) {
		snprintf(text, sizeof(text), "--memory gives %d sizes for %d devices", o->nr_sizes, o->nr_devices);
		return usage(text);
	}
	for (int i = o->nr_sizes; o->nr_sizes == 1 && i < o->nr_devices; i++)
		o->memory[i] = o->memory[0];
	return -1;
}

int run_options_parse(int argc, char **argv, struct run_options *o)
{
	static const struct option options[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "host-device", required_argument, NULL, 'd' },
		{ "stats", no_argument, NULL, 's' },
		{ "no-fork-server", no_argument, NULL, OPT_NO_FORK_SERVER },
		{ "no-quick", no_argument, NULL, OPT_NO_QUICK },
		{ "store", required_argument, NULL, OPT_STORE },
		{ "parent", required_argument, NULL, 'p' },
		{ "type", required_argument, NULL, 't' },
		{ "time", required_argument, NULL, OPT_TIME },
		{ "alone", no_argument, NULL, OPT_ALONE },
		{ "no-daemon", no_argument, NULL, OPT_ALONE },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	char text[160];
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:m:d:p:t:sh", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			c = take_memory(o, optarg);
			if (c >= 0)
				return c;
			break;
		case 'd':
			c = take_host_devices(o, optarg);
			if (c >= 0)
				return c;
			break;
		case 'p':
			o->parent = optarg;
			break;
		case 't':
			o->type = optarg;
			break;
		case OPT_TIME:
			o->time = optarg;
			break;
		case OPT_ALONE:
			o->is_alone = true;
			break;
		case 's':
			o->stats = o->is_alone = true;
			break;
		case OPT_NO_FORK_SERVER:
			o->no_fork_server = o->is_alone = true;
			break;
		case OPT_STORE:
			o->is_alone = true;
			c = take_store(o, optarg);
			if (c >= 0)
				return c;
			break;
		case OPT_NO_QUICK:
			o->no_quick = o->is_alone = true;
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
	return complete(o);
}
