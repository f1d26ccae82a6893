/* SPDX-License-Identifier: MIT */
/* The quota can be used to its last page, and what was freed comes back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "fake_device.h"
#include "unit.h"

#define KIB 1024ull
#define MIB (1024 * KIB)

static uint64_t create_buffer(struct client_context *c, const struct client_mem *mem)
{
	struct trnc_rec_buffer_create *rec;
	uint64_t handle = client_handle_new(c, CLIENT_BUFFER);
	void *room;

	assert_int_not_equal(handle, 0);
	assert_int_equal(client_rec_begin(c, TRNC_REC_BUFFER_CREATE, sizeof(*rec), &room), 0);
	rec = room;
	rec->buffer = handle;
	rec->offset = mem->offset;
	rec->size = mem->size;
	client_rec_end(c);
	return handle;
}

/* nr pieces of size fill the quota exactly, twice in a row. */
static void fill_quota(uint64_t size, size_t nr)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_mem *mem = calloc(nr, sizeof(*mem)), extra;
	uint64_t *handles = calloc(nr, sizeof(*handles));
	struct trn_error err = { 0 };

	assert_true(mem && handles);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(client_mem_alloc(c, size, &mem[i], NULL), 0);
			assert_int_equal((uintptr_t)mem[i].ptr % 4096, 0);
			*(uint64_t *)mem[i].ptr = i;
			handles[i] = create_buffer(c, &mem[i]);
		}
		assert_int_equal(atomic_load(&f->used[0]), f->quota);
		assert_refused(client_mem_alloc(c, size, &extra, &err), err, -ENOSPC, "DeviceRefused");
		for (size_t i = 0; i < nr; i++) {
			assert_int_equal(*(uint64_t *)mem[i].ptr, i);
			client_buffer_destroy(c, handles[i], &mem[i]);
		}
	}
	/* All of it in one piece now. */
	assert_int_equal(client_mem_alloc(c, f->quota, &mem[0], &err), 0);
	client_mem_free(c, &mem[0]);
	assert_int_equal(atomic_load(&f->nr_still_mapped), 0);
	fake_context_free(c);
	fake_stop(f);
	free(mem);
	free(handles);
}

static void test_fill_with_pages(void **state)
{
	fill_quota(4 * KIB, 16384);
}

static void test_fill_with_mebibytes(void **state)
{
	fill_quota(MIB, 64);
}

static void test_fill_with_large(void **state)
{
	fill_quota(16 * MIB, 4);
}

/* Sizes that divide nothing still use nearly all of it. */
static void test_odd_sizes(void **state)
{
	static const uint64_t sizes[] = { 600 * KIB, 6 * MIB, 1 * MIB + 1, 100 * KIB, 12288 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fake *f = fake_start();
		struct client_context *c = fake_context_new();
		uint64_t rounded = (sizes[i] + 4095) & ~4095ull, nr = 0;
		struct client_mem mem;

		while (client_mem_alloc(c, sizes[i], &mem, NULL) == 0)
			nr++;
		assert_int_equal(nr, f->quota / rounded);
		fake_context_free(c);
		fake_stop(f);
	}
}

static void test_hopeless(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct trn_error err = { 0 };
	uint64_t before = atomic_load(&f->nr_requests[TRNC_MSG_SEGMENT_CREATE]);
	struct client_mem mem;

	assert_refused(client_mem_alloc(c, f->quota + 1, &mem, &err), err, -ENOSPC, "OverQuota");
	assert_refused(client_mem_alloc(c, UINT64_MAX, &mem, &err), err, -ENOSPC, "OverQuota");
	assert_refused(client_mem_alloc(c, 0, &mem, &err), err, -EINVAL, "NoSize");
	assert_refused(client_staging_alloc(c, f->service + 1, &mem, &err), err, -ENOSPC, "OverQuota");
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_SEGMENT_CREATE]), before);
	fake_context_free(c);
	fake_stop(f);
}

static void test_small_pieces(void **state)
{
	static const uint64_t sizes[] = { 1, 100, 128, 129, 1000, 2048, 3968, 3969, 4095, 4097 };
	enum { NR = 10 };
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_mem mem[NR * 100];

	for (int i = 0; i < NR * 100; i++) {
		uint64_t size = sizes[i % NR];

		assert_int_equal(client_mem_alloc(c, size, &mem[i], NULL), 0);
		assert_int_equal((uintptr_t)mem[i].ptr % (size < 4096 ? 128 : 4096), 0);
		memset(mem[i].ptr, i % 251, size);
	}
	for (int i = 0; i < NR * 100; i++) {
		for (uint64_t k = 0; k < mem[i].size; k++)
			assert_int_equal(((uint8_t *)mem[i].ptr)[k], i % 251);
		client_mem_free(c, &mem[i]);
	}
	assert_true(atomic_load(&f->used[0]) <= 8 * MIB); /* one segment is kept at most */
	fake_context_free(c);
	fake_stop(f);
}

/* A piece is not used again while a command may still use it. */
static void test_busy_pieces(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_mem a, b;
	uint64_t offset;

	atomic_store(&f->hold_destroys, true);
	assert_int_equal(client_mem_alloc(c, 4096, &a, NULL), 0);
	offset = a.offset;
	client_buffer_destroy(c, create_buffer(c, &a), &a);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(client_mem_alloc(c, 4096, &b, NULL), 0);
		assert_int_not_equal(b.offset, offset);
	}
	while (!fake_release(f, 1))
		usleep(1000);
	atomic_store(&f->hold_destroys, false);
	assert_int_equal(client_mem_alloc(c, 4096, &b, NULL), 0);
	assert_int_equal(b.offset, offset); /* first fit */
	fake_context_free(c);
	fake_stop(f);
}

static void *release_soon(void *arg)
{
	struct fake *f = arg;

	usleep(50000);
	atomic_store(&f->hold_destroys, false);
	atomic_store(&f->hold_segments, false);
	fake_release(f, SIZE_MAX);
	return NULL;
}

/* An allocation waits for what was freed before it refuses, also for another context's. */
static void test_patience(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new(), *other = fake_context_new();
	struct client_mem mem[4];
	struct trn_error err = { 0 };
	pthread_t thread;

	atomic_store(&f->hold_segments, true);
	for (int i = 0; i < 4; i++)
		assert_int_equal(client_mem_alloc(c, 16 * MIB, &mem[i], &err), 0);
	for (int i = 0; i < 4; i++)
		client_buffer_destroy(c, create_buffer(c, &mem[i]), &mem[i]);
	pthread_create(&thread, NULL, release_soon, f);
	assert_int_equal(client_mem_alloc(c, 64 * MIB, &mem[0], &err), 0);
	pthread_join(thread, NULL);
	client_mem_free(c, &mem[0]);

	atomic_store(&f->hold_destroys, true);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(client_mem_alloc(other, 15 * MIB, &mem[i], &err), 0);
		client_buffer_destroy(other, create_buffer(other, &mem[i]), &mem[i]);
	}
	pthread_create(&thread, NULL, release_soon, f);
	assert_int_equal(client_mem_alloc(c, 64 * MIB, &mem[0], &err), 0);
	pthread_join(thread, NULL);

	/* Held for ever: refused in the end. */
	atomic_store(&f->hold_segments, true);
	client_mem_free(c, &mem[0]);
	assert_refused(client_mem_alloc(c, 64 * MIB, &mem[0], &err), err, -ENOSPC, "DeviceRefused");
	atomic_store(&f->hold_segments, false);
	fake_context_free(c);
	fake_context_free(other);
	fake_stop(f);
}

static void test_fast(void **state)
{
	enum { NR = 10000 };
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_mem *mem = calloc(NR, sizeof(*mem));
	uint64_t start, one_by_one, all;

	start = base_clock_ns();
	for (int i = 0; i < NR; i++) {
		assert_int_equal(client_mem_alloc(c, 1000, &mem[0], NULL), 0);
		client_buffer_destroy(c, create_buffer(c, &mem[0]), &mem[0]);
	}
	one_by_one = base_clock_ns() - start;
	start = base_clock_ns();
	for (int i = 0; i < NR; i++)
		assert_int_equal(client_mem_alloc(c, 1000 + (uint64_t)i % 3000, &mem[i], NULL), 0);
	for (int i = 0; i < NR; i++)
		client_buffer_destroy(c, create_buffer(c, &mem[i]), &mem[i]);
	all = base_clock_ns() - start;
	print_message("# create and release: %llu ns one by one, %llu ns with all alive\n",
		      (unsigned long long)one_by_one / NR, (unsigned long long)all / NR);
	free(mem);
	fake_context_free(c);
	fake_stop(f);
}

struct worker {
	struct client_context *c;
	pthread_t thread;
	unsigned int seed;
};

static void *churn(void *arg)
{
	struct worker *w = arg;
	struct {
		struct client_mem mem;
		bool is_used;
	} slots[32] = { 0 };

	for (int n = 0; n < 3000; n++) {
		int i = rand_r(&w->seed) % 32;

		if (!slots[i].is_used) {
			uint64_t size = 1 + (uint64_t)rand_r(&w->seed) % (n % 16 ? 9000 : 3 * MIB);

			slots[i].is_used = client_mem_alloc(w->c, size, &slots[i].mem, NULL) == 0;
			if (slots[i].is_used)
				*(uint8_t *)slots[i].mem.ptr = (uint8_t)i;
		} else {
			slots[i].is_used = false;
			if (*(uint8_t *)slots[i].mem.ptr != i)
				return w; /* somebody else has it too */
			client_buffer_destroy(w->c, create_buffer(w->c, &slots[i].mem), &slots[i].mem);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new(), *other = fake_context_new();
	struct worker workers[4];

	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .c = i % 2 ? c : other, .seed = (unsigned int)i };
		pthread_create(&workers[i].thread, NULL, churn, &workers[i]);
	}
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(workers[i].thread, &failed);
		assert_null(failed);
	}
	assert_int_equal(atomic_load(&f->nr_still_mapped), 0);
	fake_context_free(c);
	fake_context_free(other);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill_with_pages),
		cmocka_unit_test(test_fill_with_mebibytes),
		cmocka_unit_test(test_fill_with_large),
		cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_hopeless),
		cmocka_unit_test(test_small_pieces),
		cmocka_unit_test(test_busy_pieces),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_threads),
	};

	return unit_run(tests);
}
