/* SPDX-License-Identifier: MIT */
/*
 * Stands in for an executor: uses all processors in "kernels", as its gate lets it, or as it should not.
 *
 *   GATE_LOAD=MODE[:US]   what it does; US: of a kernel
 *     kernels    one after the other, two handed over at the same time, for ever; honest
 *     endless    waits for its gate as it should, and its first kernel never ends
 *     greedy     says that it wants to run, and does not wait for its gate
 *     silent     the same, and says nothing
 *     children   honest, and has two children that burn
 *     bursts     honest: half a second of kernels, half a second of nothing
 *     blinks     honest: a kernel, and then a moment of nothing
 *     flood      says that there is news of its gate as fast as it can, and does nothing else
 *     late       honest, after half a second of nothing
 *     idle       nothing
 *     memory     takes more and more
 *     exit, crash, stray    ends with status 7; by SIGSEGV; leaves a child behind and ends
 *   GATE_LOAD_OUT=FILE    8 bytes: kernels done so far
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/futex.h"
#include "tranche/wire/gate.h"
#include "tranche/wire/parent.h"

#define MAX_WORKERS 64

struct load {
	struct trnc_gate *gate; /* or NULL */
	uint64_t kernel_ns;
	bool heeds; /* the gate */
	unsigned int nr_workers;
	_Atomic uint64_t *out;
	_Atomic uint32_t submitted;
	_Atomic uint32_t done[MAX_WORKERS];
	_Atomic uint32_t progress; /* changes when a kernel has ended */
};

struct worker {
	struct load *load;
	unsigned int nr;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (!ns || clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 2000; i++) {
		}
}

static void *work(void *data)
{
	struct worker *w = data;
	struct load *l = w->load;

	for (uint32_t nr = 0;; nr++) {
		while (atomic_load(&l->submitted) == nr)
			base_futex_wait(&l->submitted, nr, -1);
		burn(l->kernel_ns);
		atomic_store(&l->done[w->nr], nr + 1);
		atomic_fetch_add(&l->progress, 1);
		base_futex_wake(&l->progress);
	}
	return NULL;
}

static uint32_t count_done(const struct load *l)
{
	uint32_t least = UINT32_MAX;

	for (unsigned int i = 0; i < l->nr_workers; i++)
		if (atomic_load(&l->done[i]) < least)
			least = atomic_load(&l->done[i]);
	if (l->out)
		atomic_store(l->out, least);
	return least;
}

/* ------------------------------------------------------------------ gate */

static _Atomic uint32_t *word(uint32_t *p)
{
	return (_Atomic uint32_t *)(void *)p;
}

static void tell(void)
{
	const struct trnc_msg m = { .type = TRNC_BROKER_GATE, .len = sizeof(m) };

	(void)!send(TRNC_EXEC_BROKER_FD, &m, sizeof(m), MSG_NOSIGNAL);
}

static void set_wants(struct load *l, bool wants)
{
	if (!l->gate || atomic_exchange(word(&l->gate->wants), wants) == wants)
		return;
	if (wants ? !(atomic_load(word(&l->gate->grant)) & 1) : l->gate->flags & TRNC_GATE_CONTENDED)
		tell();
}

static bool is_open(const struct trnc_gate *g, uint32_t grant)
{
	uint64_t end = __atomic_load_n(&g->slice_end_ns, __ATOMIC_SEQ_CST);

	return (grant & 1) && (!end || clock_ns(CLOCK_MONOTONIC) < end);
}

static void wait_for_gate(struct load *l)
{
	while (l->gate && l->heeds) {
		uint32_t grant = atomic_load(word(&l->gate->grant));

		if (is_open(l->gate, grant))
			return;
		base_futex_wait(word(&l->gate->grant), grant, -1);
	}
}

/* Two at a time, or as many as the gate's limit lets. */
static void wait_for_room(struct load *l)
{
	for (;;) {
		uint32_t progress = atomic_load(&l->progress), out = atomic_load(&l->submitted) - count_done(l);
		bool is_bounded = l->gate && l->heeds && (l->gate->flags & TRNC_GATE_CONTENDED);

		if (out == 0 || (out < 2 && (!is_bounded || (out + 1) * l->kernel_ns <= l->gate->limit_ns)))
			return;
		base_futex_wait(&l->progress, progress, -1);
	}
}

static void submit(struct load *l)
{
	wait_for_room(l);
	wait_for_gate(l);
	atomic_fetch_add(&l->submitted, 1);
	base_futex_wake(&l->submitted);
}

static void run(struct load *l, uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + ns;

	while (!ns || clock_ns(CLOCK_MONOTONIC) < end)
		submit(l);
}

static void drain(struct load *l)
{
	uint32_t progress;

	while (progress = atomic_load(&l->progress), count_done(l) != atomic_load(&l->submitted))
		base_futex_wait(&l->progress, progress, -1);
}

/* ------------------------------------------------------------------ modes */

static void start_workers(struct load *l)
{
	static struct worker workers[MAX_WORKERS];
	long nr = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	l->nr_workers = nr > 0 && nr < MAX_WORKERS ? (unsigned int)nr : 1;
	for (unsigned int i = 0; i < l->nr_workers; i++) {
		workers[i] = (struct worker){ .load = l, .nr = i };
		if (pthread_create(&thread, NULL, work, &workers[i]))
			exit(1);
	}
}

static void fork_burners(int nr)
{
	for (int i = 0; i < nr; i++)
		if (fork() == 0)
			burn(0);
}

/* A child that burns, and has burnt for 30 ms at least, however busy the machine is. */
static void leave_stray(void)
{
	pid_t child = fork();
	clockid_t clock;

	if (child == 0)
		burn(0);
	if (child < 0 || clock_getcpuclockid(child, &clock))
		exit(1);
	while (clock_ns(clock) < 30000000)
		usleep(1000);
}

static void rest(void)
{
	char byte;

	/* The device's end of the socket. */
	while (recv(TRNC_EXEC_FD, &byte, 1, 0) > 0) {
	}
	exit(0);
}

static void blink(struct load *l)
{
	set_wants(l, true);
	submit(l);
	drain(l);
	set_wants(l, false);
	usleep(2000);
}

static void serve(struct load *l, const char *mode)
{
	if (!strcmp(mode, "exit"))
		exit(7);
	if (!strcmp(mode, "crash"))
		raise(SIGSEGV);
	if (!strcmp(mode, "idle"))
		rest();
	while (!strcmp(mode, "flood"))
		tell();
	while (!strcmp(mode, "memory"))
		memset(malloc(1 << 20), 1, 1 << 20);
	if (!strcmp(mode, "stray")) {
		leave_stray();
		exit(0);
	}
	if (!strcmp(mode, "late"))
		usleep(500000);
	if (!strcmp(mode, "children"))
		fork_burners(2);
	if (!strcmp(mode, "endless"))
		l->kernel_ns = 0;
	l->heeds = strcmp(mode, "greedy") && strcmp(mode, "silent");
	start_workers(l);
	while (!strcmp(mode, "blinks"))
		blink(l);
	while (!strcmp(mode, "bursts")) {
		set_wants(l, true);
		run(l, 500000000);
		drain(l);
		set_wants(l, false);
		usleep(500000);
	}
	if (strcmp(mode, "silent"))
		set_wants(l, true);
	run(l, 0);
}

static void map_files(struct load *l)
{
	const char *out = getenv("GATE_LOAD_OUT");
	int fd = out ? open(out, O_RDWR | O_CLOEXEC) : -1;
	void *at = mmap(NULL, sizeof(struct trnc_gate), PROT_READ | PROT_WRITE, MAP_SHARED, TRNC_EXEC_GATE_FD, 0);

	l->gate = at == MAP_FAILED ? NULL : at;
	at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	l->out = at == MAP_FAILED ? NULL : at;
}

int main(void)
{
	static struct load l;
	const char *text = getenv("GATE_LOAD");
	char mode[32] = "idle";
	unsigned int us = 1000;

	if (text && sscanf(text, "%31[a-z]:%u", mode, &us) < 1)
		return 2;
	l.kernel_ns = us * 1000ull;
	map_files(&l);
	serve(&l, mode);
	return 0;
}
