/* SPDX-License-Identifier: MIT */
#include "treefs/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "treefs/config.h"

enum { STATUS_USAGE = 2 };

static void print_help(void)
{
	printf("tranche-treefs [OPTION...] MOUNTPOINT\n\n"
	       "Shows tranched's parents, types and devices as the files that the kernel's mdev has, for mdevctl and "
	       "others.\n\n"
	       "  -s, --socket PATH          of tranched's API\n"
	       "      --user                 of this user's own tranched\n"
	       "      --remove refuse|wait   a device in use: refuse with EBUSY (default), or ask its user and wait\n"
	       "      --allow-users          whoever reaches the tree may write, with the rights of this process\n"
	       "  -o OPTION[,OPTION...]      of FUSE, such as allow_other\n"
	       "  -f, --foreground           stay; the default when systemd has started it\n"
	       "  -h, --help                 show this text\n"
	       "  -V, --version              show the version\n\n"
	       "It ends, and the tree with it, when it is told to (SIGTERM), or when somebody unmounts it.\n"
	       "See tranche-treefs(8).\n");
}

static int usage(const char *what, const char *value)
{
	log_error("%s%.100s; see tranche-treefs --help", what, value);
	return STATUS_USAGE;
}

static int parse_remove(const char *value, struct treefs_options *o)
{
	o->will_wait = !strcmp(value, "wait");
	return o->will_wait || !strcmp(value, "refuse") ? -1 : usage("--remove wants refuse or wait, not ", value);
}

static int parse_fd(const char *value, struct treefs_options *o)
{
	char *end;
	long fd = strtol(value, &end, 10);

	if (end == value || *end || fd < 3 || fd > INT_MAX || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return usage("--ready-fd wants an open descriptor, not ", value);
	o->ready_fd = (int)fd;
	o->is_foreground = true;
	return -1;
}

static int add_mount_option(const char *value, struct treefs_options *o)
{
	char *all;

	if (asprintf(&all, "%s%s%s", o->mount_options ? o->mount_options : "", o->mount_options ? "," : "", value) < 0)
		return EXIT_FAILURE;
	free(o->mount_options);
	o->mount_options = all;
	return -1;
}

static int take(int c, struct treefs_options *o, char **argv)
{
	switch (c) {
	case 's':
		o->socket = optarg;
		return -1;
	case 'u':
		o->is_user = true;
		return -1;
	case 'r':
		return parse_remove(optarg, o);
	case 'a':
		o->allows_users = true;
		return -1;
	case 'o':
		return add_mount_option(optarg, o);
	case 'f':
		o->is_foreground = true;
		return -1;
	case 'R':
		return parse_fd(optarg, o);
	case 'd':
		o->dies_with_parent = true;
		return -1;
	case 'h':
		print_help();
		return 0;
	case 'V':
		printf("tranche-treefs %s\n", TRANCHE_VERSION);
		return 0;
	default:
		return usage(c == ':' ? "a value is missing for " : "unknown option ", argv[optind - 1]);
	}
}

int treefs_options_parse(int argc, char **argv, struct treefs_options *ret)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"user", no_argument, NULL, 'u'},
		{"remove", required_argument, NULL, 'r'},
		{"allow-users", no_argument, NULL, 'a'},
		{"foreground", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		/* For tranche attach --sysfs. */
		{"ready-fd", required_argument, NULL, 'R'},
		{"die-with-parent", no_argument, NULL, 'd'},
		{0},
	};
	int c, status = -1;

	*ret = (struct treefs_options){
		.ready_fd = -1, .is_foreground = getenv("NOTIFY_SOCKET") || getenv("INVOCATION_ID")};
	opterr = 0;
	while (status < 0 && (c = getopt_long(argc, argv, ":s:o:fhV", options, NULL)) != -1)
		status = take(c, ret, argv);
	if (status >= 0)
		return status;
	if (optind != argc - 1)
		return usage(optind == argc ? "the place to mount at is missing" : "one place to mount at, not also ",
			optind == argc ? "" : argv[optind + 1]);
	if (ret->is_user && ret->socket)
		return usage("--user and --socket name two different ones", "");
	ret->mountpoint = realpath(argv[optind], NULL);
	if (ret->mountpoint)
		return -1;
	log_error("cannot mount at %.200s: %s", argv[optind], strerror(errno));
	return EXIT_FAILURE;
}

void treefs_options_finish(struct treefs_options *o)
{
	free(o->mount_options);
	free(o->mountpoint);
}
