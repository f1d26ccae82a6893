// SPDX-License-Identifier: MIT
/*
 * launch [ROUNDS]: an empty kernel of one item, launched and waited for with
 * clFinish (at once, and after work of its own) and with clWaitForEvents, told
 * of by a callback, and in streams of 10,000 with one finish. Times are
 * microseconds, a kernel.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum { WARM_UP_NS = 300000000, GAP_NS = 30000, STREAM = 10000, STREAMS = 7 };

static void launch(const struct bench *b, cl_kernel kernel, cl_event *event)
{
	const size_t one = 1;

	bench_check(clEnqueueNDRangeKernel(b->queue, kernel, 1, NULL, &one, &one, 0, NULL, event), "launch");
}

static void measure_finish(const struct bench *b, cl_kernel kernel, double *samples, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		uint64_t start = bench_now_ns();

		launch(b, kernel, NULL);
		bench_check(clFinish(b->queue), "clFinish");
		samples[i] = (double)(bench_now_ns() - start) / 1e3;
	}
	bench_print_samples("finish_us", samples, rounds);
}

static void measure_wait(const struct bench *b, cl_kernel kernel, double *samples, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		uint64_t start = bench_now_ns();
		cl_event event;

		launch(b, kernel, &event);
		bench_check(clWaitForEvents(1, &event), "clWaitForEvents");
		samples[i] = (double)(bench_now_ns() - start) / 1e3;
		clReleaseEvent(event);
	}
	bench_print_samples("wait_us", samples, rounds);
}

/* The program computes between two launches: whoever runs the kernel may have gone to sleep meanwhile. */
static void measure_gap(const struct bench *b, cl_kernel kernel, double *samples, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		uint64_t start = bench_now_ns();

		while (bench_now_ns() - start < GAP_NS)
			;
		start = bench_now_ns();
		launch(b, kernel, NULL);
		bench_check(clFinish(b->queue), "clFinish");
		samples[i] = (double)(bench_now_ns() - start) / 1e3;
	}
	bench_print_samples("gap_us", samples, rounds);
}

static void CL_CALLBACK called(cl_event event, cl_int status, void *data)
{
	atomic_store((_Atomic uint64_t *)data, bench_now_ns());
	(void)event;
	(void)status;
}

/* From the launch to the callback's first line. The program's thread waits for it without sleeping. */
static void measure_callback(const struct bench *b, cl_kernel kernel, double *samples, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++) {
		_Atomic uint64_t when = 0;
		uint64_t start = bench_now_ns();
		cl_event event;

		launch(b, kernel, &event);
		bench_check(clSetEventCallback(event, CL_COMPLETE, called, &when), "clSetEventCallback");
		bench_check(clFlush(b->queue), "clFlush");
		while (!atomic_load(&when))
			;
		samples[i] = (double)(when - start) / 1e3;
		clReleaseEvent(event);
	}
	bench_print_samples("callback_us", samples, rounds);
}

static _Atomic int nr_called;

static void CL_CALLBACK count(cl_event event, cl_int status, void *data)
{
	atomic_fetch_add(&nr_called, 1);
	clReleaseEvent(event);
	(void)status;
	(void)data;
}

/* Many at once, each with an event of its own that is called back. */
static void measure_callback_stream(const struct bench *b, cl_kernel kernel)
{
	double total[STREAMS];

	for (size_t i = 0; i < STREAMS; i++) {
		uint64_t start = bench_now_ns();

		atomic_store(&nr_called, 0);
		for (int n = 0; n < STREAM; n++) {
			cl_event event;

			launch(b, kernel, &event);
			bench_check(clSetEventCallback(event, CL_COMPLETE, count, NULL), "clSetEventCallback");
		}
		bench_check(clFinish(b->queue), "clFinish");
		while (atomic_load(&nr_called) < STREAM)
			;
		total[i] = (double)(bench_now_ns() - start) / 1e3 / STREAM;
	}
	bench_print("callback_stream_us", bench_quantile(total, STREAMS, 0.5));
}

static void measure_stream(const struct bench *b, cl_kernel kernel)
{
	double total[STREAMS], enqueue[STREAMS];

	for (size_t i = 0; i < STREAMS; i++) {
		uint64_t start = bench_now_ns();

		for (int n = 0; n < STREAM; n++)
			launch(b, kernel, NULL);
		enqueue[i] = (double)(bench_now_ns() - start) / 1e3 / STREAM;
		bench_check(clFinish(b->queue), "clFinish");
		total[i] = (double)(bench_now_ns() - start) / 1e3 / STREAM;
	}
	bench_print("stream_us", bench_quantile(total, STREAMS, 0.5));
	bench_print("stream_enqueue_us", bench_quantile(enqueue, STREAMS, 0.5));
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	struct bench b;

	if (rounds < 1 || rounds > 1000000) {
		fprintf(stderr, "launch: rounds must be 1 to 1000000\n");
		return 2;
	}
	double *samples = calloc(rounds, sizeof(*samples));
	if (!samples)
		return 1;
	bench_open(&b);
	cl_kernel kernel = bench_kernel(&b, "kernel void empty(void) {}", "empty");
	/* By time: what a driver learns of a kernel, or makes in the background, is another subject (bench/start). */
	for (uint64_t start = bench_now_ns(); bench_now_ns() - start < WARM_UP_NS;) {
		launch(&b, kernel, NULL);
		bench_check(clFinish(b.queue), "clFinish");
	}

	measure_finish(&b, kernel, samples, rounds);
	measure_wait(&b, kernel, samples, rounds);
	measure_gap(&b, kernel, samples, rounds);
	measure_callback(&b, kernel, samples, rounds);
	measure_stream(&b, kernel);
	measure_callback_stream(&b, kernel);

	clReleaseKernel(kernel);
	bench_close(&b);
	free(samples);
	return 0;
}
