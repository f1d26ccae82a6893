/* SPDX-License-Identifier: MIT */
/* Records of all lengths, a full ring, waiting, and event slots. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "client/context.h"
#include "fake_device.h"
#include "unit.h"

static void create_queue(struct client_context *c, struct client_queue *q)
{
	struct trnc_rec_queue_create *rec;
	void *room;

	*q = (struct client_queue){
		.handle = client_handle_new(c, CLIENT_QUEUE),
		.event = client_event_new(c, NULL),
	};
	assert_true(q->handle && q->event);
	assert_int_equal(client_rec_begin(c, TRNC_REC_QUEUE_CREATE, sizeof(*rec), &room), 0);
	rec = room;
	rec->queue = q->handle;
	rec->event = q->event;
	client_rec_end(c);
}

static uint64_t mark(struct client_context *c, struct client_queue *q, uint64_t event, uint32_t nr_waits, size_t extra)
{
	static const uint64_t waits[TRNC_MAX_WAITS];
	struct client_cmd cmd = {
		.type = TRNC_REC_MARKER,
		.body_len = sizeof(struct trnc_cmd),
		.queue = q,
		.event = event,
		.waits = waits,
		.nr_waits = nr_waits,
		.extra = extra,
	};
	void *rec, *tail;
	uint64_t seq = 0;
	int r = client_cmd_begin(c, &cmd, &rec, &tail, &seq);

	if (r < 0)
		return 0;
	if (extra)
		memset(tail, 0xee, extra);
	client_rec_end(c);
	return seq;
}

static void test_wrap(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_queue q;
	uint64_t seq = 0;

	srand(3);
	create_queue(c, &q);
	for (int i = 0; i < 30000; i++)
		seq = mark(c, &q, 0, (uint32_t)rand() % 40, (size_t)rand() % (i % 100 ? 200 : 60000));
	assert_int_equal(seq, 30000);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);
	assert_true(client_queue_is_done(c, &q, seq));
	assert_false(client_queue_is_done(c, &q, seq + 1));
	assert_int_equal(client_queue_error(c, &q), 0);
	assert_int_equal(atomic_load(&f->nr_commands), 30000);
	assert_true(atomic_load(&f->nr_pads) > 0);
	fake_context_free(c);
	fake_stop(f);
}

/* Records that leave exactly 0, 8 and 16 bytes at the end. */
static void test_end_of_ring(void **state)
{
	for (size_t left = 0; left <= 24; left += 8) {
		struct fake *f = fake_start();
		struct client_context *c = fake_context_new();
		struct client_queue q;
		size_t pos = sizeof(struct trnc_rec_queue_create), ring = c->ring_len;

		create_queue(c, &q);
		while (pos < ring - left) {
			size_t n = ring - left - pos;

			if (n > 40000)
				n = 30000;
			assert_true(n >= sizeof(struct trnc_cmd));
			assert_int_not_equal(mark(c, &q, 0, 0, n - sizeof(struct trnc_cmd)), 0);
			pos += n;
		}
		assert_int_equal(client_queue_wait(c, &q, mark(c, &q, 0, 0, 0)), 0);
		assert_int_equal(atomic_load(&f->nr_skips), left == 8);
		assert_int_equal(atomic_load(&f->nr_pads), left > 8);
		fake_context_free(c);
		fake_stop(f);
	}
}

static void test_bad_lengths(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_queue q;
	struct client_cmd cmd = { .type = TRNC_REC_MARKER, .queue = &q };
	void *rec;

	create_queue(c, &q);
	assert_int_equal(client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, 8, &rec), -EINVAL);
	assert_int_equal(client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, 20, &rec), -EINVAL);
	assert_int_equal(client_rec_begin(c, TRNC_REC_BUFFER_DESTROY, TRNC_REC_MAX + 8, &rec), -EINVAL);
	assert_int_equal(client_cmd_begin(c, &cmd, &rec, NULL, NULL), -EINVAL);
	cmd.body_len = sizeof(struct trnc_cmd);
	cmd.extra = TRNC_REC_MAX;
	assert_int_equal(client_cmd_begin(c, &cmd, &rec, NULL, NULL), -EINVAL);
	cmd.extra = SIZE_MAX;
	assert_int_equal(client_cmd_begin(c, &cmd, &rec, NULL, NULL), -EINVAL);
	cmd.extra = TRNC_REC_MAX - sizeof(struct trnc_cmd);
	assert_int_equal(client_cmd_begin(c, &cmd, &rec, NULL, NULL), 0);
	client_rec_end(c);
	assert_int_equal(client_queue_wait(c, &q, 1), 0);
	fake_context_free(c);
	fake_stop(f);
}

static void *read_soon(void *arg)
{
	struct fake *f = arg;

	usleep(100000);
	atomic_store(&f->stop_reading, false);
	return NULL;
}

static void test_full(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_queue q;
	uint64_t fits = c->ring_len / 30000, nr = 12 * fits; /* many rings full */
	pthread_t thread;
	uint64_t seq = 0;

	create_queue(c, &q);
	atomic_store(&f->stop_reading, true);
	pthread_create(&thread, NULL, read_soon, f);
	for (uint64_t i = 0; i < nr; i++)
		seq = mark(c, &q, 0, 0, 30000);
	pthread_join(thread, NULL);
	assert_int_equal(seq, nr);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);

	/* Full, and nobody left to read it. */
	atomic_store(&f->stop_reading, true);
	for (uint64_t i = 0; i < fits - 2; i++) /* a PAD takes room, too */
		mark(c, &q, 0, 0, 30000);
	fake_drop(f);
	for (int i = 0; i < 2; i++)
		mark(c, &q, 0, 0, 60000);
	assert_int_equal(mark(c, &q, 0, 0, 60000), 0);
	fake_context_free(c);
	fake_stop(f);
}

static void test_events(void **state)
{
	enum { NR = 10000 }; /* more than two blocks */
	static uint64_t events[NR];
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_queue q;
	struct trn_error err = { 0 };
	size_t released = 1;
	int32_t status;

	create_queue(c, &q);
	atomic_store(&f->hold_commands, true);
	for (int i = 0; i < NR; i++) {
		events[i] = client_event_new(c, &err);
		assert_int_not_equal(events[i], 0);
		assert_int_equal(client_event_status(c, events[i]), 3);
		assert_int_not_equal(mark(c, &q, events[i], 0, 0), 0);
	}
	while (fake_release(f, 1) == 0)
		usleep(100);
	assert_int_equal(client_event_wait(c, events[0], 0, NULL, 0, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(client_event_status(c, events[1]), 3);
	assert_non_null(client_event_slot(c, events[NR - 1]));
	/* The last one is counted before it is held. */
	while (released < NR) {
		released += fake_release(f, SIZE_MAX);
		usleep(100);
	}
	assert_int_equal(atomic_load(&f->nr_commands), NR);
	assert_int_equal(client_queue_wait(c, &q, NR), 0);
	assert_int_equal(atomic_load(&f->nr_requests[TRNC_MSG_EVENT_BLOCK_ADD]), 2);

	/* A slot used again shows nothing of its past. */
	client_event_free(c, events[7]);
	events[7] = client_event_new(c, NULL);
	assert_int_equal(client_event_status(c, events[7]), 3);
	client_event_free(c, 0);
	assert_int_equal(client_event_status(c, UINT64_MAX), 3);
	fake_context_free(c);
	fake_stop(f);
}

struct waiter {
	struct client_context *c;
	struct client_queue q;
	pthread_t thread;
	int failed;
};

static void *enqueue_and_wait(void *arg)
{
	struct waiter *w = arg;

	for (int i = 0; i < 2000 && !w->failed; i++) {
		uint64_t seq = mark(w->c, &w->q, 0, 0, (size_t)i % 500);

		if (!seq || client_queue_wait(w->c, &w->q, seq) < 0)
			w->failed = i + 1;
	}
	return NULL;
}

/* Several threads sleep on the one flag of a context; none is forgotten. */
static void test_many_waiters(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct waiter waiters[6];
	uint64_t start = base_clock_ns();

	for (int i = 0; i < 6; i++) {
		waiters[i] = (struct waiter){ .c = c };
		create_queue(c, &waiters[i].q);
		pthread_create(&waiters[i].thread, NULL, enqueue_and_wait, &waiters[i]);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_int_equal(waiters[i].failed, 0);
	}
	print_message("# 12000 rounds of 6 threads: %llu ms\n",
		      (unsigned long long)(base_clock_ns() - start) / 1000000);
	fake_context_free(c);
	fake_stop(f);
}

struct sleeper {
	struct client_context *c;
	int step;
};

static bool never(void *data)
{
	return false;
}

static void *sleep_shortly(void *arg)
{
	client_wait(arg, never, NULL, (int64_t)base_clock_ns() + 1000000);
	return NULL;
}

/* Looks for the last time, is then overtaken by the host's signal, and by another thread that goes to sleep. */
static bool is_overtaken(void *data)
{
	struct sleeper *x = data;
	_Atomic uint32_t *flag = client_word32(&x->c->user->user_asleep);
	pthread_t other;

	if (x->step)
		return true;
	if (!atomic_load(flag))
		return false;
	x->step = 1;
	base_futex_signal(flag);
	pthread_create(&other, NULL, sleep_shortly, x->c);
	pthread_join(other, NULL);
	return false;
}

static void test_no_wake_up_is_lost(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	uint64_t took = UINT64_MAX;

	/* A lost one takes until the next look whether the host lives, each time; a busy machine is that slow now and then. */
	for (int i = 0; i < 3 && took >= 300000000; i++) {
		struct sleeper x = { .c = c };
		uint64_t start = base_clock_ns();

		assert_int_equal(client_wait(c, is_overtaken, &x, -1), 0);
		took = base_clock_ns() - start;
	}
	assert_true(took < 300000000);
	fake_context_free(c);
	fake_stop(f);
}

/* The host's position is not believed beyond reason. */
static void test_bad_consumer(void **state)
{
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct trnc_host_page *host;
	struct client_queue q;
	struct trn_error err = { 0 };
	struct trnc_memory_reply memory;

	create_queue(c, &q);
	assert_int_equal(client_queue_wait(c, &q, mark(c, &q, 0, 0, 0)), 0);
	atomic_store(&f->stop_reading, true);
	host = (struct trnc_host_page *)(void *)(f->contexts[1].channel + TRNC_CHANNEL_HOST);
	/* Nobody writes it after that. */
	while (atomic_load((_Atomic uint64_t *)&host->consumer) != atomic_load((_Atomic uint64_t *)&c->user->producer))
		usleep(100);
	atomic_store((_Atomic uint64_t *)&host->consumer, UINT64_MAX / 2);
	/* It is looked at when the ring seems full. */
	for (uint64_t i = 0; i < c->ring_len / 60000 + 2; i++)
		mark(c, &q, 0, 0, 60000);
	assert_true(client_context_is_lost(c));
	assert_refused(client_session_memory(client_context_session(c), &memory, &err), err, -ESHUTDOWN, "BadHost");
	fake_context_free(c);
	fake_stop(f);
}

static void test_speed(void **state)
{
	enum { NR = 20000 };
	struct fake *f = fake_start();
	struct client_context *c = fake_context_new();
	struct client_queue q;
	uint64_t start, seq = 0, alone, burst, trips;

	create_queue(c, &q);
	assert_int_equal(client_queue_wait(c, &q, mark(c, &q, 0, 0, 0)), 0);
	atomic_store(&f->stop_reading, true);
	usleep(50000);
	start = base_clock_ns();
	for (int i = 0; i < 1500; i++)
		seq = mark(c, &q, 0, 0, 88);
	alone = base_clock_ns() - start;
	atomic_store(&f->stop_reading, false);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);

	start = base_clock_ns();
	for (int i = 0; i < NR; i++)
		seq = mark(c, &q, 0, 0, 88);
	assert_int_equal(client_queue_wait(c, &q, seq), 0);
	burst = base_clock_ns() - start;
	start = base_clock_ns();
	for (int i = 0; i < NR; i++)
		client_queue_wait(c, &q, mark(c, &q, 0, 0, 88));
	trips = base_clock_ns() - start;
	print_message("# a record: %llu ns alone, %llu ns with the host; a round trip: %llu ns\n",
		      (unsigned long long)alone / 1500, (unsigned long long)burst / NR,
		      (unsigned long long)trips / NR);
	fake_context_free(c);
	fake_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_end_of_ring),
		cmocka_unit_test(test_bad_lengths),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_many_waiters),
		cmocka_unit_test(test_no_wake_up_is_lost),
		cmocka_unit_test(test_bad_consumer),
		cmocka_unit_test(test_speed),
	};

	return unit_run(tests);
}
