/* SPDX-License-Identifier: MIT */
#include "parent/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define MAX_LINES 64

static int to_number(const char *text, const char *name, uint64_t max, uint64_t *ret, struct trn_error *err)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && !errno && *ret <= max)
		return 0;
	trn_error_set(err, -EINVAL, "BadArgument", "--%s %.80s is no number up to %llu", name, text, (unsigned long long)max);
	return trn_error_hint(err, "give a whole number, in decimal digits");
}

static int parse(struct parent_arguments *a, int argc, char **argv, const char **ret_file, struct trn_error *err)
{
	static const struct option options[] = {
		{ "executor", required_argument, NULL, 'x' },	 { "no-fork", no_argument, NULL, 'n' },
		{ "mould", no_argument, NULL, 'M' },		 { "listen", required_argument, NULL, 'l' },
		{ "name", required_argument, NULL, 'N' },	 { "host-device", required_argument, NULL, 'd' },
		{ "memory", required_argument, NULL, 'm' },	 { "lock", required_argument, NULL, 'L' },
		{ "store", required_argument, NULL, 's' },	 { "start-file", required_argument, NULL, 'f' },
		{ "linger", required_argument, NULL, 'i' },	 { "hide", required_argument, NULL, 'h' },
		{ 0 },
	};
	uint64_t number = 0;
	int c, r = 0;

	optind = 0; /* a second time, for the file */
	while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'x': a->executor = optarg; break;
		case 'n': a->no_fork = true; break;
		case 'M': a->is_mould = true; break;
		case 'l': a->listen.listen = optarg; break;
		case 'N': a->listen.name = optarg; break;
		case 'L': a->listen.lock = optarg; break;
		case 's': a->store = optarg; break;
		case 'h': a->hidden = optarg; break;
		case 'f': *ret_file = optarg; break;
		case 'm': r = to_number(optarg, "memory", UINT64_MAX, &a->listen.memory, err); break;
		case 'd':
			r = to_number(optarg, "host-device", 4096, &number, err);
			a->listen.host_device = (uint32_t)number;
			break;
		case 'i':
			r = to_number(optarg, "linger", 86400, &number, err);
			a->listen.linger_s = (uint32_t)number;
			break;
		default: r = -EINVAL;
		}
	}
	return r < 0 || optind == argc ? r : -EINVAL;
}

/* The lines stay in memory: arguments point to them. */
static int parse_file(struct parent_arguments *a, const char *path, char *program, struct trn_error *err)
{
	char *lines[MAX_LINES + 2] = { program };
	const char *again = NULL;
	FILE *f = fopen(path, "re");
	int nr = 1, r;
	size_t cap = 0;

	if (!f)
		return trn_error_set(err, -errno, "NoStartFile", "cannot read %.160s: %s", path, strerror(errno));
	while (nr <= MAX_LINES && getline(&lines[nr], &cap, f) > 0) {
		lines[nr][strcspn(lines[nr], "\n")] = '\0';
		nr++;
		cap = 0;
	}
	free(lines[nr]);
	lines[nr] = NULL;
	fclose(f);
	r = parse(a, nr, lines, &again, err);
	if (r < 0 || again)
		trn_error_set(err, -EINVAL, "BadStartFile", "%.160s does not hold arguments, one a line", path);
	return r < 0 || again ? -EINVAL : 0;
}

int parent_arguments_parse(struct parent_arguments *ret, int argc, char **argv, struct trn_error *err)
{
	const char *file = NULL;
	int r = parse(ret, argc, argv, &file, err);

	return r < 0 || !file ? r : parse_file(ret, file, argv[0], err);
}
