// SPDX-License-Identifier: MIT
/*
 * What the bench programs share: a context on the first device, a clock, and
 * the statistics of a row of samples. Each program prints lines "name value";
 * the commands beside it run it natively and on a virtual device and compare.
 */
#ifndef TRANCHE_BENCH_MEASURE_H
#define TRANCHE_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

struct bench {
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;		/* in order, without profiling */
};

/* Ends the program with a sentence unless status is CL_SUCCESS. */
void bench_check(cl_int status, const char *what);

/* The first device of the first platform; ends the program when there is none. */
void bench_open(struct bench *b);
void bench_close(struct bench *b);

/* Builds source and returns its kernel of that name; the program object is released with it. */
cl_kernel bench_kernel(const struct bench *b, const char *source, const char *name);

uint64_t bench_now_ns(void);

/* Sorts samples in place and returns the one at fraction (0 to 1) of the way. */
double bench_quantile(double *samples, size_t nr, double fraction);

void bench_print(const char *name, double value);

/* Prints name, name_min and name_p99 of the samples, which get sorted. */
void bench_print_samples(const char *name, double *samples, size_t nr);

#endif
