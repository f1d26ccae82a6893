/* SPDX-License-Identifier: MIT */
/* Builds and what is told about kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static struct harness h;

static int setup(void **state)
{
	(void)state;
	harness_start(&h, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop(&h);
	return 0;
}

static void check_kernel(const struct base_blob_item *kernel, const char *name, uint32_t nr_args, const uint32_t *kinds,
			 const uint32_t *sizes, bool has_info)
{
	struct base_blob_reader r, ar;
	struct base_blob_item it, a;
	uint32_t n = 0, v;

	base_blob_reader_init(&r, kernel->data, kernel->len);
	while (base_blob_next(&r, &it)) {
		bool info = false;

		if (it.tag == TRNC_TAG_KERNEL_NAME)
			assert_string_equal(base_blob_str(&it), name);
		if (it.tag != TRNC_TAG_ARG)
			continue;
		assert_true(n < nr_args);
		base_blob_reader_init(&ar, it.data, it.len);
		while (base_blob_next(&ar, &a)) {
			if (a.tag == TRNC_TAG_ARG_KIND) {
				assert_true(base_blob_u32(&a, &v));
				assert_int_equal(v, kinds[n]);
			} else if (a.tag == TRNC_TAG_ARG_SIZE) {
				assert_true(base_blob_u32(&a, &v));
				assert_int_equal(v, sizes[n]);
			} else if (a.tag == TRNC_TAG_ARG_NAME) {
				info = true;
			}
		}
		assert_int_equal(info, has_info);
		n++;
	}
	assert_int_equal(n, nr_args);
}

static const char many_kinds[] =
	"typedef struct { char a[300]; } big;\n"
	"kernel void k(global float *a, constant int *b, local int *c, char d, int e, long f, float3 g, double16 i,\n"
	"              big j, float4 l, read_only image2d_t m, sampler_t n, const global uchar4 *restrict o) {}\n";
static const uint32_t kinds[] = { 2, 2, 3, 1, 1, 1, 1, 1, 1, 1, 4, 5, 2 };
static const uint32_t sizes[] = { 8, 8, 0, 1, 4, 8, 16, 128, 0, 16, 8, 8, 8 };

static void test_argument_kinds(void **state)
{
	struct base_blob_item it;
	uint64_t len, p = harness_handle(&h);

	(void)state;
	len = harness_build(&h, p, many_kinds, "");
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_BINARY_TYPE), 4);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_PRINTF), 0);
	assert_true(harness_find(&h, len, TRNC_TAG_KERNEL, &it));
	check_kernel(&it, "k", 13, kinds, sizes, false);
	len = harness_build(&h, p, many_kinds, "-cl-kernel-arg-info");
	assert_true(harness_find(&h, len, TRNC_TAG_KERNEL, &it));
	check_kernel(&it, "k", 13, kinds, sizes, true);
}

static void test_build_failure(void **state)
{
	struct base_blob_item it;
	uint64_t len = harness_build(&h, harness_handle(&h), "kernel void k(global int *a) { a[0] = no_such; }", "");

	(void)state;
	assert_int_equal((int32_t)harness_find_u32(&h, len, TRNC_TAG_STATUS), -11);
	assert_int_equal((int32_t)harness_find_u32(&h, len, TRNC_TAG_BUILD_STATUS), -2);
	assert_true(harness_find(&h, len, TRNC_TAG_LOG, &it));
	assert_non_null(base_blob_str(&it));
	assert_non_null(strstr(base_blob_str(&it), "no_such"));
	assert_false(harness_find(&h, len, TRNC_TAG_KERNEL, &it));
}

static uint64_t compile(uint64_t program, const char *source, const char *header)
{
	struct base_blob b = { 0 };
	uint64_t len;

	base_blob_put_u32(&b, TRNC_TAG_OP, TRNC_OP_COMPILE);
	base_blob_put(&b, TRNC_TAG_SOURCE, source, strlen(source));
	base_blob_put_str(&b, TRNC_TAG_OPTIONS, "");
	if (header) {
		size_t mark = base_blob_begin(&b, TRNC_TAG_HEADER);

		base_blob_put_str(&b, TRNC_TAG_NAME, "inc/value.h");
		base_blob_put(&b, TRNC_TAG_SOURCE, header, strlen(header));
		base_blob_end(&b, mark);
	}
	len = harness_build_blob(&h, program, &b);
	base_blob_finish(&b);
	return len;
}

static void test_compile_and_link(void **state)
{
	uint64_t a = harness_handle(&h), b = harness_handle(&h), linked = harness_handle(&h), len, kernel;
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, 4096), e = harness_event(&h);
	struct launch l = { .global = 1, .event = e, .nr_args = 1, .args = { { TRNC_ARG_BUFFER, 8, &buffer } } };
	struct base_blob request = { 0 };
	struct queue q;

	(void)state;
	len = compile(a, "#include \"inc/value.h\"\nint value(void) { return VALUE; }", "#define VALUE 42\n");
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	len = compile(b, "int value(void); kernel void k(global int *a) { a[0] = value(); }", NULL);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_BINARY_TYPE), 1);
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_LINK);
	base_blob_put_u64(&request, TRNC_TAG_INPUT, a);
	base_blob_put_u64(&request, TRNC_TAG_INPUT, b);
	base_blob_put_str(&request, TRNC_TAG_OPTIONS, "");
	len = harness_build_blob(&h, linked, &request);
	base_blob_finish(&request);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	kernel = harness_kernel(&h, linked, 0);
	harness_queue(&h, &q, 0);
	l.kernel = kernel;
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(*(int32_t *)(void *)(h.window + BUFFERS_AT), 42);
}

static uint64_t query(uint64_t program, uint32_t what, uint64_t cap)
{
	const struct trnc_program_query q = {
		.context = 1, .what = what, .program = program, .reply = REPLY_AT, .reply_cap = cap,
	};
	struct trnc_blob_reply reply;

	harness_call(&h, TRNC_MSG_PROGRAM_QUERY, &q, sizeof(q), 0, &reply, sizeof(reply));
	return reply.len;
}

static void test_binary_round_trip(void **state)
{
	uint64_t p = harness_handle(&h), loaded = harness_handle(&h), len, kernel;
	uint64_t buffer = harness_buffer(&h, BUFFERS_AT, 4096), e = harness_event(&h);
	struct launch l = { .global = 1, .event = e, .nr_args = 1, .args = { { TRNC_ARG_BUFFER, 8, &buffer } } };
	struct base_blob request = { 0 };
	struct base_blob_item it;
	struct queue q;

	(void)state;
	harness_build(&h, p, "kernel void k(global int *a) { a[0] = 43; }", "");
	/* Too little room: nothing is written. */
	memset(h.window + REPLY_AT, 0x55, 64);
	len = query(p, TRNC_QUERY_RESULT, 8);
	assert_true(len > 8);
	assert_int_equal(h.window[REPLY_AT], 0x55);
	assert_int_equal(query(p, TRNC_QUERY_RESULT, BLOB_ROOM), len);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	len = query(p, TRNC_QUERY_BINARY, BLOB_ROOM);
	assert_true(harness_find(&h, len, TRNC_TAG_BINARY, &it));
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_LOAD_BINARY);
	base_blob_put(&request, TRNC_TAG_BINARY, it.data, it.len);
	len = harness_build_blob(&h, loaded, &request);
	base_blob_finish(&request);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_BINARY_STATUS), 0);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_PRINTF), 1);
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_BUILD);
	len = harness_build_blob(&h, loaded, &request);
	base_blob_finish(&request);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
	kernel = harness_kernel(&h, loaded, 0);
	harness_queue(&h, &q, 0);
	l.kernel = kernel;
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e), 0);
	assert_int_equal(*(int32_t *)(void *)(h.window + BUFFERS_AT), 43);
}

static void test_bad_binary(void **state)
{
	struct base_blob request = { 0 };
	uint64_t len;

	(void)state;
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_LOAD_BINARY);
	base_blob_put(&request, TRNC_TAG_BINARY, "no binary at all", 16);
	len = harness_build_blob(&h, harness_handle(&h), &request);
	base_blob_finish(&request);
	assert_int_equal((int32_t)harness_find_u32(&h, len, TRNC_TAG_STATUS), -42);
}

/* A guest's header comes with the request. */
static void put_file(struct base_blob *request, const char *name, const char *text)
{
	struct base_blob items = { 0 };

	base_blob_put_str(&items, TRNC_TAG_NAME, name);
	base_blob_put(&items, TRNC_TAG_SOURCE, text, strlen(text));
	base_blob_put(request, TRNC_TAG_FILE, items.data, items.len);
	base_blob_finish(&items);
}

static void test_relative_include(void **state)
{
	char dir[] = "/tmp/tranche-test-XXXXXX", path[64];
	struct base_blob request = { 0 };
	const char source[] = "#include \"here/there.h\"\nkernel void k(global int *a) { a[0] = THERE; }";
	uint64_t len;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/here", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/here/there.h", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("#define THERE 5\n", f);
	fclose(f);
	base_blob_put_u32(&request, TRNC_TAG_OP, TRNC_OP_BUILD);
	base_blob_put(&request, TRNC_TAG_SOURCE, source, strlen(source));
	base_blob_put_str(&request, TRNC_TAG_OPTIONS, "-I .");
	base_blob_put_str(&request, TRNC_TAG_CWD, dir);
	if (h.is_guest)
		put_file(&request, path, "#define THERE 5\n");
	len = harness_build_blob(&h, harness_handle(&h), &request);
	base_blob_finish(&request);
	unlink(path);
	snprintf(path, sizeof(path), "%s/here", dir);
	rmdir(path);
	rmdir(dir);
	assert_int_equal(harness_find_u32(&h, len, TRNC_TAG_STATUS), 0);
}

static void test_kernel_clone(void **state)
{
	uint64_t p = harness_handle(&h), kernel, e = harness_event(&h), e2 = harness_event(&h);
	uint64_t a = harness_buffer(&h, BUFFERS_AT, 4096), b = harness_buffer(&h, BUFFERS_AT + 4096, 4096);
	int32_t n = 9;
	struct launch l = {
		.global = 1, .event = e, .nr_args = 2,
		.args = { { TRNC_ARG_BUFFER, 8, &a }, { TRNC_ARG_VALUE, 4, &n } },
	};
	struct trnc_rec_kernel_clone c;
	struct queue q;

	(void)state;
	harness_build(&h, p, "kernel void k(global int *a, int n) { a[0] = n; }", "");
	kernel = harness_kernel(&h, p, 0);
	harness_queue(&h, &q, 0);
	l.kernel = kernel;
	harness_launch(&h, &q, &l, false);
	c = (struct trnc_rec_kernel_clone){ .kernel = harness_handle(&h), .source = kernel };
	harness_put(&h, &c, sizeof(c));
	harness_submit(&h, TRNC_REC_KERNEL_CLONE);
	l = (struct launch){
		.kernel = c.kernel, .global = 1, .event = e2, .nr_args = 1, .args = { { TRNC_ARG_BUFFER, 8, &b } },
	};
	harness_launch(&h, &q, &l, false);
	assert_int_equal(harness_wait(&h, e2), 0);
	assert_int_equal(*(int32_t *)(void *)(h.window + BUFFERS_AT), 9);
	assert_int_equal(*(int32_t *)(void *)(h.window + BUFFERS_AT + 4096), 9);
	assert_int_equal(h.page->refused, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_argument_kinds),	   T(test_build_failure), T(test_compile_and_link), T(test_binary_round_trip),
		T(test_bad_binary),	   T(test_relative_include), T(test_kernel_clone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
