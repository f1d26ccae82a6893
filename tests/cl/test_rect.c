/* SPDX-License-Identifier: MIT */
/* Rectangles: each pitch given and defaulted, offsets, bounds, overlap. */
#include "cl_test.h"

#define ROW 64
#define ROWS 32
#define SLICES 4
#define SLICE (ROW * ROWS)
#define SIZE (SLICE * SLICES)

struct box {
	size_t buffer[3], host[3], region[3];
	size_t buffer_row, buffer_slice, host_row, host_slice;
};

static size_t pitch(size_t given, size_t implied)
{
	return given ? given : implied;
}

/* A plain model of the specification's address arithmetic. */
static void model(unsigned char *to, const size_t *to_at, size_t to_row, size_t to_slice, const unsigned char *from,
		  const size_t *from_at, size_t from_row, size_t from_slice, const size_t *region)
{
	to_row = pitch(to_row, region[0]);
	from_row = pitch(from_row, region[0]);
	to_slice = pitch(to_slice, region[1] * to_row);
	from_slice = pitch(from_slice, region[1] * from_row);
	for (size_t z = 0; z < region[2]; z++)
		for (size_t y = 0; y < region[1]; y++)
			memcpy(to + (to_at[2] + z) * to_slice + (to_at[1] + y) * to_row + to_at[0],
			       from + (from_at[2] + z) * from_slice + (from_at[1] + y) * from_row + from_at[0],
			       region[0]);
}

static const struct box boxes[] = {
	/* all of it, all pitches implied */
	{ { 0, 0, 0 }, { 0, 0, 0 }, { ROW, ROWS, SLICES }, 0, 0, 0, 0 },
	/* one byte, one row, one column */
	{ { 5, 3, 1 }, { 0, 0, 0 }, { 1, 1, 1 }, ROW, SLICE, 0, 0 },
	{ { 1, 2, 3 }, { 7, 0, 0 }, { 33, 1, 1 }, ROW, SLICE, 0, 0 },
	{ { 9, 1, 0 }, { 0, 0, 0 }, { 1, 30, 1 }, ROW, SLICE, 0, 0 },
	/* a box, tight on the host */
	{ { 3, 4, 1 }, { 0, 0, 0 }, { 17, 11, 2 }, ROW, SLICE, 0, 0 },
	/* a box, the same layout on both sides, other corner */
	{ { 3, 4, 1 }, { 40, 20, 2 }, { 17, 11, 2 }, ROW, SLICE, ROW, SLICE },
	/* the row pitch given, the slice pitch implied */
	{ { 2, 0, 0 }, { 1, 0, 0 }, { 30, 8, 3 }, ROW, 0, 40, 0 },
	/* a slice pitch that is larger than the rows, and no multiple of the region */
	{ { 0, 1, 0 }, { 0, 0, 1 }, { 10, 4, 3 }, 16, 16 * 9, 12, 12 * 7 },
};

static void write_then_compare(struct cl_env *env)
{
	unsigned char *host = malloc(SIZE), *want = malloc(SIZE), *got = malloc(SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	cl_pattern(host, SIZE, 1);
	for (size_t i = 0; i < COUNT_OF(boxes); i++) {
		const struct box *b = &boxes[i];

		memset(want, 0xee, SIZE);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, want, 0, NULL, NULL));
		CHECK_OK(clEnqueueWriteBufferRect(env->queue, mem, CL_TRUE, b->buffer, b->host, b->region,
						  b->buffer_row, b->buffer_slice, b->host_row, b->host_slice, host, 0,
						  NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, got, 0, NULL, NULL));
		model(want, b->buffer, b->buffer_row, b->buffer_slice, host, b->host, b->host_row, b->host_slice,
		      b->region);
		if (!CHECK(memcmp(got, want, SIZE) == 0))
			fprintf(stderr, "  box %zu\n", i);
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
	free(want);
	free(got);
}

static void read_then_compare(struct cl_env *env)
{
	unsigned char *in = malloc(SIZE), *want = malloc(SIZE), *got = malloc(SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	cl_pattern(in, SIZE, 2);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	for (size_t i = 0; i < COUNT_OF(boxes); i++) {
		const struct box *b = &boxes[i];

		memset(want, 0xdd, SIZE);
		memset(got, 0xdd, SIZE);
		CHECK_OK(clEnqueueReadBufferRect(env->queue, mem, CL_TRUE, b->buffer, b->host, b->region,
						 b->buffer_row, b->buffer_slice, b->host_row, b->host_slice, got, 0,
						 NULL, NULL));
		model(want, b->host, b->host_row, b->host_slice, in, b->buffer, b->buffer_row, b->buffer_slice,
		      b->region);
		if (!CHECK(memcmp(got, want, SIZE) == 0))
			fprintf(stderr, "  box %zu\n", i);
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(want);
	free(got);
}

static void copy_then_compare(struct cl_env *env)
{
	unsigned char *in = malloc(SIZE), *want = malloc(SIZE), *got = malloc(SIZE);
	cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), b = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	cl_pattern(in, SIZE, 3);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, a, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	for (size_t i = 0; i < COUNT_OF(boxes); i++) {
		const struct box *x = &boxes[i];

		memset(want, 0xcc, SIZE);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, b, CL_TRUE, 0, SIZE, want, 0, NULL, NULL));
		CHECK_OK(clEnqueueCopyBufferRect(env->queue, a, b, x->buffer, x->host, x->region, x->buffer_row,
						 x->buffer_slice, x->host_row, x->host_slice, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, b, CL_TRUE, 0, SIZE, got, 0, NULL, NULL));
		model(want, x->host, x->host_row, x->host_slice, in, x->buffer, x->buffer_row, x->buffer_slice,
		      x->region);
		if (!CHECK(memcmp(got, want, SIZE) == 0))
			fprintf(stderr, "  box %zu\n", i);
	}
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	free(in);
	free(want);
	free(got);
}

/* Columns side by side share rows but no byte: not an overlap. */
static void copy_within(struct cl_env *env)
{
	const size_t left[] = { 0, 0, 0 }, right[] = { 32, 0, 0 }, near[] = { 16, 1, 0 }, half[] = { 32, ROWS, 1 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *in = malloc(SIZE), *got = malloc(SIZE);
	cl_command_queue q = env->queue;

	cl_pattern(in, SIZE, 4);
	CHECK_OK(clEnqueueWriteBuffer(q, mem, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	CHECK_OK(clEnqueueCopyBufferRect(q, mem, mem, left, right, half, ROW, SLICE, ROW, SLICE, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, SIZE, got, 0, NULL, NULL));
	model(in, right, ROW, SLICE, in, left, ROW, SLICE, half);
	CHECK(memcmp(in, got, SIZE) == 0);
	CHECK_ERR(clEnqueueCopyBufferRect(q, mem, mem, left, near, (size_t[]){ 32, 8, 1 }, ROW, SLICE, ROW, SLICE, 0,
					  NULL, NULL), CL_MEM_COPY_OVERLAP);
	/* one buffer, two pitches: refused */
	CHECK_ERR(clEnqueueCopyBufferRect(q, mem, mem, left, right, (size_t[]){ 8, 8, 1 }, ROW, SLICE, 32, SLICE, 0,
					  NULL, NULL), CL_INVALID_VALUE);
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(got);
}

/* One wrong thing at a time; each row is refused by read, write and copy alike. */
static void errors(struct cl_env *env)
{
	static const struct box bad[] = {
		/* region zero in each dimension */
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 0, 4, 1 }, ROW, SLICE, ROW, SLICE },
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 4, 0, 1 }, ROW, SLICE, ROW, SLICE },
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 4, 4, 0 }, ROW, SLICE, ROW, SLICE },
		/* row pitch smaller than a row */
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 16, 4, 1 }, 15, 0, ROW, SLICE },
		/* slice pitch smaller than its rows, or no multiple of the row pitch */
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 16, 4, 2 }, 16, 16 * 3, ROW, SLICE },
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 16, 4, 2 }, 16, 16 * 4 + 1, ROW, SLICE },
		/* past the end of the buffer, in each dimension */
		{ { 1, 0, 3 }, { 0, 0, 0 }, { ROW, ROWS, 1 }, ROW, SLICE, ROW, SLICE },
		{ { 0, 1, 3 }, { 0, 0, 0 }, { ROW, ROWS, 1 }, ROW, SLICE, ROW, SLICE },
		{ { 0, 0, SLICES }, { 0, 0, 0 }, { 1, 1, 1 }, ROW, SLICE, ROW, SLICE },
		{ { 0, 0, 0 }, { 0, 0, 0 }, { ROW, ROWS, SLICES + 1 }, ROW, SLICE, ROW, SLICE },
	};
	unsigned char *host = calloc(1, 2 * SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), big = cl_buffer(env, CL_MEM_READ_WRITE, 2 * SIZE, NULL);
	cl_command_queue q = env->queue;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct box *b = &bad[i];
		unsigned int before = cl_test_failures();

		CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, b->buffer, b->host, b->region, b->buffer_row,
						  b->buffer_slice, b->host_row, b->host_slice, host, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueWriteBufferRect(q, mem, CL_TRUE, b->buffer, b->host, b->region, b->buffer_row,
						   b->buffer_slice, b->host_row, b->host_slice, host, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		/* the native driver copies a box without width */
		if (env->native && b->region[0] == 0)
			continue;
		CHECK_ERR(clEnqueueCopyBufferRect(q, mem, big, b->buffer, b->host, b->region, b->buffer_row,
						  b->buffer_slice, b->host_row, b->host_slice, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueCopyBufferRect(q, big, mem, b->host, b->buffer, b->region, b->host_row,
						  b->host_slice, b->buffer_row, b->buffer_slice, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		if (cl_test_failures() != before)
			fprintf(stderr, "  bad box %zu\n", i);
	}
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(big));
	free(host);
}

static void other_errors(struct cl_env *env)
{
	static unsigned char host[SIZE];
	const size_t zero[] = { 0, 0, 0 }, one[] = { 1, 1, 1 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_mem none = cl_buffer(env, CL_MEM_HOST_NO_ACCESS, SIZE, NULL);
	cl_command_queue q = env->queue;

	CHECK_ERR(clEnqueueReadBufferRect(NULL, mem, CL_TRUE, zero, zero, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueReadBufferRect(q, NULL, CL_TRUE, zero, zero, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, zero, zero, one, 0, 0, 0, 0, NULL, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteBufferRect(q, mem, CL_TRUE, zero, zero, one, 0, 0, 0, 0, NULL, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, NULL, zero, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, zero, NULL, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, zero, zero, NULL, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadBufferRect(q, none, CL_TRUE, zero, zero, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueWriteBufferRect(q, none, CL_TRUE, zero, zero, one, 0, 0, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueReadBufferRect(q, mem, CL_TRUE, zero, zero, one, 0, 0, 0, 0, host, 1, NULL, NULL),
		  CL_INVALID_EVENT_WAIT_LIST);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(none));
}

static void non_blocking(struct cl_env *env)
{
	const size_t zero[] = { 0, 0, 0 }, region[] = { 32, 16, 2 };
	unsigned char *in = malloc(SIZE), *out = calloc(1, SIZE), *want = calloc(1, SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event written = NULL, read = NULL;
	cl_command_queue q = env->queue;

	cl_pattern(in, SIZE, 8);
	CHECK_OK(clEnqueueWriteBufferRect(q, mem, CL_FALSE, zero, zero, region, ROW, SLICE, ROW, SLICE, in, 0, NULL,
					  &written));
	CHECK_OK(clEnqueueReadBufferRect(q, mem, CL_FALSE, zero, zero, region, ROW, SLICE, ROW, SLICE, out, 1,
					 &written, &read));
	CHECK_OK(clWaitForEvents(1, &read));
	model(want, zero, ROW, SLICE, in, zero, ROW, SLICE, region);
	CHECK(memcmp(out, want, SIZE) == 0);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, written, CL_EVENT_COMMAND_TYPE),
		 CL_COMMAND_WRITE_BUFFER_RECT);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, read, CL_EVENT_COMMAND_TYPE), CL_COMMAND_READ_BUFFER_RECT);
	CHECK_OK(clReleaseEvent(written));
	CHECK_OK(clReleaseEvent(read));
	CHECK_OK(clReleaseMemObject(mem));
	free(in);
	free(out);
	free(want);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(write_then_compare), CL_CASE(read_then_compare), CL_CASE(copy_then_compare),
		CL_CASE(copy_within), CL_CASE(errors), CL_CASE(other_errors), CL_CASE(non_blocking), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
