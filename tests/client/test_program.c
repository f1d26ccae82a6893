/* SPDX-License-Identifier: MIT */
/* Blobs there and back; replies longer than the first guess; staging is given back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_device.h"
#include "unit.h"

static void build(struct client_context *c, const struct base_blob *request, size_t extra)
{
	void *reply = NULL;
	size_t len = 0;

	assert_int_equal(client_program_build(c, TRNC_HANDLE(0, 1), request, &reply, &len, NULL), 0);
	assert_int_equal(len, request->len + extra);
	assert_memory_equal(reply, request->data, request->len);
	for (size_t i = request->len; i < len; i++)
		assert_int_equal(((uint8_t *)reply)[i], 0);
	free(reply);
}

static void test_build(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct base_blob request = { 0 };
	uint64_t used;

	base_blob_put_str(&request, TRNC_TAG_SOURCE, "kernel void f(void) {}");
	build(c, &request, 0);
	used = atomic_load(&f->used[1]);
	for (int i = 0; i < 50; i++)
		build(c, &request, 0);
	assert_int_equal(atomic_load(&f->used[1]), used);

	atomic_store(&f->reply_extra, 3 << 20); /* asks again, and does not build again */
	build(c, &request, 3 << 20);
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_PROGRAM_BUILD]), 52);
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_PROGRAM_QUERY]), 1);
	base_blob_finish(&request);
	fake_context_free(c);
	fake_stop(f);
}

static void test_query(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct base_blob request = { 0 };
	void *reply = NULL;
	size_t len = 0;

	base_blob_put_str(&request, TRNC_TAG_SOURCE, "x");
	atomic_store(&f->reply_extra, 20 << 20);
	build(c, &request, 20 << 20);
	assert_int_equal(client_program_query(c, TRNC_HANDLE(0, 1), TRNC_QUERY_BINARY, &reply, &len, NULL), 0);
	assert_int_equal(len, request.len + (20 << 20));
	free(reply);
	base_blob_finish(&request);
	fake_context_free(c);
	fake_stop(f);
}

static void test_refusals(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct base_blob request = { .failed = true };
	struct trn_error err = { 0 };
	void *reply;
	size_t len;

	assert_refused(client_program_build(c, 1, &request, &reply, &len, &err), err, -ENOMEM, "OutOfMemory");
	request = (struct base_blob){ .len = TRNC_MAX_BLOB + 1 };
	assert_refused(client_program_build(c, 1, &request, &reply, &len, &err), err, -E2BIG, "ProgramTooLong");
	request = (struct base_blob){ 0 };
	base_blob_put_str(&request, TRNC_TAG_SOURCE, "x");
	atomic_store(&f->reply_extra, 200 << 20); /* more than the service memory */
	assert_refused(client_program_build(c, 1, &request, &reply, &len, &err), err, -ENOSPC, "OverQuota");
	atomic_store(&f->reply_extra, 300 << 20); /* more than a blob can have */
	assert_refused(client_program_build(c, 1, &request, &reply, &len, &err), err, -EPROTO, "BadReply");
	base_blob_finish(&request);
	fake_context_free(c);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_refusals),
	};

	return unit_run(tests);
}
