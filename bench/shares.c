// SPDX-License-Identifier: MIT
/*
 * shares: a program that never has enough.  It keeps three kernels of one length with its device, and says at its end when
 * each of them had ended: "done NS" (CLOCK_MONOTONIC).  It says "start NS" at once when all is compiled.
 *
 *   shares calibrate MS                     prints "rounds N", for which one kernel takes MS with nobody else there
 *   shares load ROUNDS SECONDS [ON OFF]     runs for so long; with ON and OFF it works for ON and rests for OFF seconds
 *   shares endless                          one kernel that never ends; it is to be killed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

enum { DEPTH = 3, ITEMS_A_UNIT = 8, MAX_DONE = 1 << 22 };

#define NS 1000000000.0

static const char source[] = "kernel void spin(global uint *out, ulong rounds)\n"
			     "{\n"
			     "	uint v = get_global_id(0);\n"
			     "	for (ulong i = 0; i < rounds; i++)\n"
			     "		v = v * 1664525u + 1013904223u + (v >> 3);\n"
			     "	out[get_global_id(0)] = v;\n"
			     "}\n";

struct load {
	struct bench b;
	cl_kernel kernel;
	cl_mem out;
	size_t items;
};

static void open_load(struct load *l)
{
	cl_uint units = 1;
	cl_int err;

	bench_open(&l->b);
	bench_check(clGetDeviceInfo(l->b.device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL), "units");
	l->items = (size_t)units * ITEMS_A_UNIT;
	l->kernel = bench_kernel(&l->b, source, "spin");
	l->out = clCreateBuffer(l->b.context, CL_MEM_WRITE_ONLY, l->items * sizeof(cl_uint), NULL, &err);
	bench_check(err, "clCreateBuffer");
	bench_check(clSetKernelArg(l->kernel, 0, sizeof(l->out), &l->out), "argument 0");
}

static void close_load(struct load *l)
{
	clReleaseMemObject(l->out);
	clReleaseKernel(l->kernel);
	bench_close(&l->b);
}

static void launch(struct load *l, cl_ulong rounds, cl_event *event)
{
	const size_t one = 1;

	bench_check(clSetKernelArg(l->kernel, 1, sizeof(rounds), &rounds), "argument 1");
	bench_check(clEnqueueNDRangeKernel(l->b.queue, l->kernel, 1, NULL, &l->items, &one, 0, NULL, event), "launch");
	bench_check(clFlush(l->b.queue), "clFlush");
}

static double time_of(struct load *l, cl_ulong rounds)
{
	double samples[9];

	for (size_t i = 0; i < 9; i++) {
		uint64_t start = bench_now_ns();

		launch(l, rounds, NULL);
		bench_check(clFinish(l->b.queue), "clFinish");
		samples[i] = (double)(bench_now_ns() - start);
	}
	return bench_quantile(samples, 9, 0); /* others on the machine make it longer, nothing shorter */
}

static void calibrate(struct load *l, double ms)
{
	double want = ms * 1e6;
	cl_ulong rounds = 1000;

	for (int i = 0; i < 12; i++) {
		double took = time_of(l, rounds), factor = want / took;

		if (factor > 0.98 && factor < 1.02)
			break;
		/* What a launch takes beside its rounds matters less with each step. */
		rounds = (cl_ulong)((double)rounds * (factor > 8 ? 8 : factor)) + 1;
	}
	printf("rounds %llu\n", (unsigned long long)rounds);
}

static uint64_t wait_for(cl_event event)
{
	bench_check(clWaitForEvents(1, &event), "clWaitForEvents");
	clReleaseEvent(event);
	return bench_now_ns();
}

/* Is it time to work, so many seconds after the start? */
static int is_on(double at, double on, double off)
{
	return on <= 0 || at - (double)(unsigned long)(at / (on + off)) * (on + off) < on;
}

/* All is compiled: whoever reads this may begin to measure. */
static void say_start(uint64_t when)
{
	printf("start %llu\n", (unsigned long long)when);
	fflush(stdout);
}

static void work(struct load *l, cl_ulong rounds, double seconds, double on, double off)
{
	uint64_t start = bench_now_ns(), now = start, *done = calloc(MAX_DONE, sizeof(*done));
	cl_event events[DEPTH];
	size_t begun = 0, ended = 0;

	if (!done)
		exit(1);
	say_start(start);
	while ((double)(now - start) < seconds * NS && ended < MAX_DONE) {
		int wanted = is_on((double)(now - start) / NS, on, off);

		for (; wanted && begun - ended < DEPTH; begun++)
			launch(l, rounds, &events[begun % DEPTH]);
		if (begun > ended) {
			now = done[ended] = wait_for(events[ended % DEPTH]);
			ended++;
		} else {
			usleep(1000);
			now = bench_now_ns();
		}
	}
	for (size_t i = ended; i < begun; i++)
		wait_for(events[i % DEPTH]);
	for (size_t i = 0; i < ended; i++)
		printf("done %llu\n", (unsigned long long)done[i]);
	free(done);
}

int main(int argc, char **argv)
{
	struct load l;

	if (argc < 2 || (!strcmp(argv[1], "load") ? argc != 4 && argc != 6 : !strcmp(argv[1], "calibrate") ? argc != 3 : argc != 2)) {
		fprintf(stderr, "usage: shares calibrate MS | load ROUNDS SECONDS [ON OFF] | endless\n");
		return 2;
	}
	open_load(&l);
	if (!strcmp(argv[1], "calibrate")) {
		calibrate(&l, strtod(argv[2], NULL));
	} else if (!strcmp(argv[1], "load")) {
		time_of(&l, 1); /* compiled, and the device is there */
		work(&l, strtoull(argv[2], NULL, 10), strtod(argv[3], NULL), argc > 4 ? strtod(argv[4], NULL) : 0,
		     argc > 4 ? strtod(argv[5], NULL) : 0);
	} else {
		time_of(&l, 1);
		launch(&l, ~0ull, NULL);
		say_start(bench_now_ns());
		clFinish(l.b.queue);
	}
	close_load(&l);
	return 0;
}
