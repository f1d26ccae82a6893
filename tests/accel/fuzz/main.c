/* SPDX-License-Identifier: MIT */
/* fuzz [--walk] [--seconds N] [--calls N] [--seed N] [--threads N] [--trace] [--limit SECONDS] [NODE]: README.md */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_WORKERS 8
#define MAX_OPS 64

static const struct op *ops[MAX_OPS];
static unsigned int nr_ops, total_weight;
static _Atomic uint64_t nr_done[MAX_OPS], nr_refused[MAX_OPS];
static _Atomic bool must_stop;
static uint64_t seed = 1, max_calls = UINT64_MAX, limit_ms = 20000;

uint64_t fuzz_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void fuzz_found(const char *what)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "FOUND: %s (seed %" PRIu64 ")\n", what, seed);

	if (write(1, line, (size_t)n) < 0)
		_exit(3);
	_exit(3);
}

static void add_ops(const struct op *more)
{
	for (; more->name && nr_ops < MAX_OPS; more++) {
		ops[nr_ops++] = more;
		total_weight += more->weight;
	}
}

static unsigned int choose(struct worker *w)
{
	uint32_t n = fuzz_below(w, total_weight);
	unsigned int i = 0;

	while (n >= ops[i]->weight)
		n -= ops[i++]->weight;
	return i;
}

void fuzz_run_one(struct worker *w)
{
	unsigned int i = choose(w);
	long r;

	w->name = ops[i]->name;
	if (w->has_trace)
		dprintf(1, "%u.%" PRIu64 " %s%s\n", w->number, w->nr_calls, ops[i]->name, w->is_child ? " (child)" : "");
	w->since_ms = fuzz_now_ms();
	r = ops[i]->run(w);
	w->since_ms = 0;
	w->nr_calls++;
	if (w->has_trace)
		dprintf(1, "%u.%" PRIu64 "   = %ld\n", w->number, w->nr_calls - 1, r);
	if (r >= 0)
		atomic_fetch_add(&nr_done[i], 1);
	else if (r != NOTHING)
		atomic_fetch_add(&nr_refused[i], 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&must_stop) && w->nr_calls < max_calls)
		fuzz_run_one(w);
	return NULL;
}

/* A call that does not end is what is looked for, too. */
static void watch(struct worker *workers, unsigned int nr, uint64_t end_ms)
{
	char what[100];

	while (fuzz_now_ms() < end_ms) {
		unsigned int nr_ended = 0;

		for (unsigned int i = 0; i < nr; i++) {
			uint64_t since = workers[i].since_ms;

			nr_ended += workers[i].nr_calls >= max_calls;
			if (!since || fuzz_now_ms() - since < limit_ms)
				continue;
			snprintf(what, sizeof(what), "thread %u hangs in %s, call %" PRIu64, i, workers[i].name, workers[i].nr_calls);
			fuzz_found(what);
		}
		if (nr_ended == nr)
			break;
		usleep(20000);
	}
}

static void print_counts(const struct worker *workers, unsigned int nr)
{
	uint64_t calls = 0;

	for (unsigned int i = 0; i < nr; i++)
		calls += workers[i].nr_calls;
	for (unsigned int i = 0; i < nr_ops; i++)
		printf("%s %" PRIu64 " %" PRIu64 "\n", ops[i]->name, nr_done[i], nr_refused[i]);
	printf("calls %" PRIu64 " seed %" PRIu64 "\n", calls, seed);
}

static int fuzz(struct world *world, uint64_t seconds, unsigned int nr, bool has_trace)
{
	static struct worker workers[MAX_WORKERS];
	pthread_t threads[MAX_WORKERS];
	uint64_t end_ms = fuzz_now_ms() + seconds * 1000;

	add_ops(accel_ops);
	add_ops(drm_ops);
	add_ops(map_ops);
	add_ops(ring_ops);
	add_ops(process_ops);
	for (unsigned int i = 0; i < nr; i++) {
		workers[i] = (struct worker){ .world = world, .rng = (seed * MAX_WORKERS + i) * 0x9e3779b97f4a7c15ull | 1, .number = i,
					      .nr_workers = nr, .has_trace = has_trace };
		for (int n = 0; n < 8; n++)
			(void)fuzz_random(&workers[i]);
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			fuzz_found("no thread");
	}
	watch(workers, nr, end_ms);
	atomic_store(&must_stop, true);
	/* The last calls have as long as all others. */
	watch(workers, nr, fuzz_now_ms() + 100);
	for (unsigned int i = 0; i < nr; i++)
		while (pthread_tryjoin_np(threads[i], NULL) == EBUSY)
			watch(&workers[i], 1, fuzz_now_ms() + 50);
	print_counts(workers, nr);
	return 0;
}

static void make_world(struct world *world)
{
	for (int i = 0; i < NR_FILES; i++)
		world->files[i].fd = -1;
	for (int i = 0; i < NR_FDS; i++)
		world->fds[i] = -1;
	world->arena = mmap(NULL, NR_SLOTS * SLOT_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (world->arena == MAP_FAILED)
		fuzz_found("no arena");
	fuzz_catch_signals();
	/* Threads look at files that others forget just then, and find 0 there: nobody shall map the standard input. */
	if (dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO) < 0)
		fuzz_found("no /dev/null");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "walk", 0, NULL, 'w' }, { "seconds", 1, NULL, 's' }, { "calls", 1, NULL, 'c' }, { "seed", 1, NULL, 'r' },
		{ "threads", 1, NULL, 't' }, { "trace", 0, NULL, 'v' }, { "limit", 1, NULL, 'l' }, { 0 },
	};
	static struct world world = { .path = "/dev/accel/accel0" };
	uint64_t seconds = 10;
	unsigned int threads = 3;
	bool has_trace = false, is_walk = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'w')
			is_walk = true;
		else if (c == 's')
			seconds = strtoull(optarg, NULL, 0);
		else if (c == 'c')
			max_calls = strtoull(optarg, NULL, 0);
		else if (c == 'r')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			threads = (unsigned int)strtoul(optarg, NULL, 0);
		else if (c == 'v')
			has_trace = true;
		else if (c == 'l')
			limit_ms = strtoull(optarg, NULL, 0) * 1000;
		else
			return 2;
	}
	if (optind < argc)
		world.path = argv[optind];
	if (threads < 1 || threads > MAX_WORKERS)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_world(&world);
	if (is_walk)
		return fuzz_walk(&world, false) ? 1 : 0;
	printf("seed %" PRIu64 " threads %u\n", seed, threads);
	return fuzz(&world, seconds, threads, has_trace);
}
