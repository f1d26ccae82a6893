// SPDX-License-Identifier: MIT
/*
 * launch [ROUNDS]: an empty kernel of one item, launched and waited for with
 * clFinish and with clWaitForEvents, and in streams of 10,000 with one finish.
 * Times are microseconds, a kernel.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum { WARM_UP = 300, STREAM = 10000, STREAMS = 7 };

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
	for (int i = 0; i < WARM_UP; i++)
		launch(&b, kernel, NULL);
	bench_check(clFinish(b.queue), "clFinish");

	measure_finish(&b, kernel, samples, rounds);
	measure_wait(&b, kernel, samples, rounds);
	measure_stream(&b, kernel);

	clReleaseKernel(kernel);
	bench_close(&b);
	free(samples);
	return 0;
}
