// SPDX-License-Identifier: MIT
/*
 * calls: small API calls that need no device, in nanoseconds each: queries, reference counts, arguments, small objects.
 * Medians of rounds of many calls.
 */
#include "measure.h"

enum { ROUNDS = 21, CALLS = 2000 };

static const char source[] =
	"kernel void add(global int *a, global const int *b, int n) { a[get_global_id(0)] += b[get_global_id(0)] + n; }\n";

struct subject {
	struct bench b;
	cl_kernel kernel;
	cl_mem mem;
	cl_event event;
};

static void device_info(struct subject *s)
{
	cl_ulong size;

	clGetDeviceInfo(s->b.device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(size), &size, NULL);
}

static void device_string(struct subject *s)
{
	char text[4096];

	clGetDeviceInfo(s->b.device, CL_DEVICE_EXTENSIONS, sizeof(text), text, NULL);
}

static void event_status(struct subject *s)
{
	cl_int status;

	clGetEventInfo(s->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL);
}

static void mem_info(struct subject *s)
{
	size_t size;

	clGetMemObjectInfo(s->mem, CL_MEM_SIZE, sizeof(size), &size, NULL);
}

static void group_info(struct subject *s)
{
	size_t size;

	clGetKernelWorkGroupInfo(s->kernel, s->b.device, CL_KERNEL_WORK_GROUP_SIZE, sizeof(size), &size, NULL);
}

static void retain_release(struct subject *s)
{
	clRetainMemObject(s->mem);
	clReleaseMemObject(s->mem);
}

static void set_value(struct subject *s)
{
	static cl_int n;

	n++;
	clSetKernelArg(s->kernel, 2, sizeof(n), &n);
}

static void set_buffer(struct subject *s)
{
	clSetKernelArg(s->kernel, 0, sizeof(s->mem), &s->mem);
}

static void make_buffer(struct subject *s)
{
	clReleaseMemObject(clCreateBuffer(s->b.context, CL_MEM_READ_WRITE, 4096, NULL, NULL));
}

static void make_kernel(struct subject *s)
{
	cl_program program;

	clGetKernelInfo(s->kernel, CL_KERNEL_PROGRAM, sizeof(program), &program, NULL);
	clReleaseKernel(clCreateKernel(program, "add", NULL));
}

static void make_user_event(struct subject *s)
{
	cl_event event = clCreateUserEvent(s->b.context, NULL);

	clSetUserEventStatus(event, CL_COMPLETE);
	clReleaseEvent(event);
}

static void finish_nothing(struct subject *s)
{
	clFinish(s->b.queue);
}

static void flush_nothing(struct subject *s)
{
	clFlush(s->b.queue);
}

static const struct {
	const char *name;
	void (*call)(struct subject *s);
} calls[] = {
	{ "device_info_ns", device_info },     { "device_string_ns", device_string },
	{ "event_status_ns", event_status },   { "mem_info_ns", mem_info },
	{ "group_info_ns", group_info },       { "retain_release_ns", retain_release },
	{ "set_value_ns", set_value },	       { "set_buffer_ns", set_buffer },
	{ "make_buffer_ns", make_buffer },     { "make_kernel_ns", make_kernel },
	{ "make_user_event_ns", make_user_event }, { "finish_nothing_ns", finish_nothing },
	{ "flush_nothing_ns", flush_nothing },
};

static void open_subject(struct subject *s)
{
	const cl_int zero = 0;
	cl_int err;

	bench_open(&s->b);
	s->kernel = bench_kernel(&s->b, source, "add");
	s->mem = clCreateBuffer(s->b.context, CL_MEM_READ_WRITE, 4096, NULL, &err);
	bench_check(err, "clCreateBuffer");
	bench_check(clEnqueueWriteBuffer(s->b.queue, s->mem, CL_TRUE, 0, sizeof(zero), &zero, 0, NULL, &s->event), "write");
}

static double measure(struct subject *s, void (*call)(struct subject *s))
{
	double samples[ROUNDS];

	for (int i = -1; i < ROUNDS; i++) {
		uint64_t start = bench_now_ns();

		for (int n = 0; n < CALLS; n++)
			call(s);
		if (i >= 0)
			samples[i] = (double)(bench_now_ns() - start) / CALLS;
	}
	return bench_quantile(samples, ROUNDS, 0.5);
}

int main(void)
{
	struct subject s;

	open_subject(&s);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		bench_print(calls[i].name, measure(&s, calls[i].call));
	clReleaseEvent(s.event);
	clReleaseMemObject(s.mem);
	clReleaseKernel(s.kernel);
	bench_close(&s.b);
	return 0;
}
