/* SPDX-License-Identifier: MIT */
/* Many threads ask at once; replies come in another order; nobody gets another's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_device.h"
#include "unit.h"

enum { THREADS = 8, ROUNDS = 100 };

struct asker {
	struct client_context *c;
	pthread_t thread;
	int nr;
	int result;
};

static void *build_often(void *arg)
{
	struct asker *a = arg;

	for (int i = 0; i < ROUNDS && a->result == 0; i++) {
		struct base_blob blob = { 0 };
		char text[64];
		void *reply = NULL;
		size_t len = 0;

		snprintf(text, sizeof(text), "thread %d round %d", a->nr, i);
		base_blob_put_str(&blob, TRNC_TAG_SOURCE, text);
		a->result = client_program_build(a->c, TRNC_HANDLE(a->nr, 1), &blob, &reply, &len, NULL);
		if (a->result == 0 && (len != blob.len || memcmp(reply, blob.data, len)))
			a->result = -EILSEQ;
		free(reply);
		base_blob_finish(&blob);
	}
	return NULL;
}

static void run_askers(struct client_context *c, int want)
{
	struct asker askers[THREADS];

	for (int i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .c = c, .nr = i };
		assert_int_equal(pthread_create(&askers[i].thread, NULL, build_often, &askers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].result, want);
	}
}

static void test_in_order(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();

	run_askers(c, 0);
	fake_context_free(c);
	fake_stop(f);
}

static void test_last_first(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();

	atomic_store(&f->shuffle, THREADS);
	run_askers(c, 0);
	fake_context_free(c);
	fake_stop(f);
}

static void *drop_soon(void *arg)
{
	usleep(20000);
	fake_drop(arg);
	return NULL;
}

/* All who wait hear of the loss. */
static void test_loss(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	pthread_t thread;

	atomic_store(&f->shuffle, THREADS + 1); /* no reply ever */
	pthread_create(&thread, NULL, drop_soon, f);
	run_askers(c, -ESHUTDOWN);
	pthread_join(thread, NULL);
	fake_context_free(c);
	fake_stop(f);
}

/* Thousands of requests whose replies nobody waits for fill neither socket. */
static void test_unwaited(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_mem mem;

	for (int i = 0; i < 2000; i++) {
		assert_int_equal(client_mem_alloc(c, 16 << 20, &mem, NULL), 0);
		client_mem_free(c, &mem);
	}
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_SEGMENT_CREATE]), 2001);
	assert_int_equal(atomic_load(&f->nr_still_mapped), 0);
	fake_context_free(c);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_last_first),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_unwaited),
	};

	return unit_run(tests);
}
