// SPDX-License-Identifier: MIT
/*
 * start: from main to the first context and queue, and to the first result of
 * a kernel, in milliseconds. One process measures once: starting is its subject.
 */
#include "measure.h"

int main(void)
{
	uint64_t start = bench_now_ns();
	const size_t one = 1;
	struct bench b;

	bench_open(&b);
	/* Nothing is on the queue: natively no cost, but a driver that connects lazily has to have done so by now. */
	bench_check(clFinish(b.queue), "clFinish");
	bench_print("first_context_ms", (double)(bench_now_ns() - start) / 1e6);

	cl_kernel kernel = bench_kernel(&b, "kernel void empty(void) {}", "empty");
	bench_check(clEnqueueNDRangeKernel(b.queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL), "launch");
	bench_check(clFinish(b.queue), "clFinish");
	bench_print("first_result_ms", (double)(bench_now_ns() - start) / 1e6);

	clReleaseKernel(kernel);
	bench_close(&b);
	return 0;
}
