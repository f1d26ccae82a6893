/* SPDX-License-Identifier: MIT */
/* What a device was used for, as a small table.  On stderr: stdout is the program's. */
#include <fts.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "base/socket.h"
#include "cli/stats.h"
#include "base/store_place.h"
#include "tranche/wire/run.h"

#define ANSWER_MS 2000

static int ask(int control, struct trnc_run_stats *ret)
{
	const struct trnc_run_request request = { .what = TRNC_RUN_STATS };
	struct pollfd p = { .fd = control, .events = POLLIN };
	size_t nr_fds = 0;

	if (base_send(control, &request, sizeof(request), NULL, 0) < 0 || poll(&p, 1, ANSWER_MS) != 1)
		return -1;
	return base_recv(control, ret, sizeof(*ret), NULL, &nr_fds) == (ssize_t)sizeof(*ret) ? 0 : -1;
}

static void print_size(const char *what, uint64_t bytes)
{
	char text[BASE_SIZE_TEXT];

	fprintf(stderr, "  %-22s %s\n", what, base_size_format(bytes, text));
}

static void print_number(const char *what, uint64_t n)
{
	fprintf(stderr, "  %-22s %" PRIu64 "\n", what, n);
}

void stats_print(const char *title, int control)
{
	struct trnc_run_stats s;

	if (ask(control, &s)) {
		log_warning("%s: its process does not answer: no statistics", title);
		return;
	}
	fprintf(stderr, "%s\n", title);
	if (s.quota)
		print_size("memory", s.quota);
	print_size("used at most", s.peak);
	print_size("granted in all", s.granted);
	print_number("refused by the quota", s.refused);
	print_number("programs", s.sessions);
	print_number("commands", s.commands);
	fprintf(stderr, "  %-22s %.3f s\n", "CPU time on the host", (double)s.cpu_ns / 1e9);
	if (s.compiled || s.stored) {
		print_number("programs compiled", s.compiled);
		print_number("programs from store", s.stored);
	}
	if (s.executors_lost)
		print_number("executors lost", s.executors_lost);
}

/* Bytes on the disk of all below a folder; several processes may change it meanwhile. */
static uint64_t used_below(const char *path)
{
	char *const top[] = { (char *)(uintptr_t)path, NULL };
	FTS *tree = fts_open(top, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	uint64_t sum = 0;
	FTSENT *e;

	while (tree && (e = fts_read(tree)))
		if (e->fts_info == FTS_F)
			sum += (uint64_t)e->fts_statp->st_blocks * 512;
	if (tree)
		fts_close(tree);
	return sum;
}

void stats_print_store(const char *chosen)
{
	_cleanup_free_ char *place = chosen ? strdup(chosen) : base_store_place();
	char text[BASE_SIZE_TEXT];

	if (!place || *place != '/')
		fprintf(stderr, "compiled programs are not kept\n");
	else
		fprintf(stderr, "compiled programs are kept in %s, %s\n", place, base_size_format(used_below(place), text));
}
