/* SPDX-License-Identifier: MIT */
/*
 * Threads that create, find, open, close, remove and unregister at the same time; meant for the thread
 * sanitizer.  What is asserted at the end is that all that was made was unmade once and that the capacity is
 * whole again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "fake.h"

#define NR_THREADS 4
#define RUN_NS 300000000ull
#define LIMIT_NS 20000000000ull

static struct trn_core *core;
static struct fake f;
static _Atomic bool stop;

struct worker {
	pthread_t thread;
	uint32_t seed;
	_Atomic unsigned int nr_created, nr_removed, nr_opened;
};

/* A number below n; from a generator of the thread's own. */
static uint32_t random_below(struct worker *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 16) % n;
}

static void check(int r, const int *allowed)
{
	for (size_t i = 0; allowed[i]; i++)
		if (r == allowed[i])
			return;
	if (r < 0)
		fail_msg("unexpected result %d", r);
}

static void churn_device(struct worker *w, struct trn_device *dev)
{
	static const int remove_errors[] = { -EBUSY, -ENODEV, -ETIMEDOUT, 0 };
	static const int open_errors[] = { -ENODEV, 0 };
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = (int)random_below(w, 3) };
	struct trn_use *use = NULL;
	int r;

	assert_ptr_equal(trn_device_ref(dev), dev);
	assert_true(trn_device_nr_uses(dev) <= NR_THREADS);
	switch (random_below(w, 4)) {
	case 0:
	case 1:
		r = trn_device_open(dev, "worker", w, &use, NULL);
		check(r, open_errors);
		if (r == 0) {
			w->nr_opened++;
			assert_ptr_equal(trn_use_priv(use), w);
			trn_use_close(use);
		}
		break;
	case 2:
		r = trn_device_remove(dev, NULL, NULL);
		check(r, remove_errors);
		w->nr_removed += r == 0;
		break;
	default:
		r = trn_device_remove(dev, &how, NULL);
		check(r, remove_errors);
		w->nr_removed += r == 0;
	}
	trn_device_unref(dev);
}

static void *churn(void *arg)
{
	static const int create_errors[] = { -EEXIST, -EUSERS, -ENODEV, 0 };
	static const int find_errors[] = { -EAGAIN, -ENODEV, 0 };
	struct worker *w = arg;

	while (!stop) {
		struct trn_device *dev = NULL;
		unsigned int n = random_below(w, 6);
		int r;

		if (random_below(w, 2)) {
			r = fake_create(random_below(w, 3) ? f.small : f.big, n, &dev, NULL);
			check(r, create_errors);
			w->nr_created += r == 0;
		} else {
			r = trn_device_find(core, fake_uuid(n), &dev, NULL);
			check(r, find_errors);
		}
		if (r == 0)
			churn_device(w, dev);
		trn_device_unref(dev);
		if (random_below(w, 8) == 0) {
			struct trn_device **list;
			struct trn_resources left;

			trn_parent_get_capacity(trn_parent_ref(f.parent), NULL, &left);
			trn_parent_unref(f.parent);
			assert_true(left.amount[TRN_RESOURCE_UNITS] <= 8);
			assert_int_equal(trn_device_list(core, f.parent, &list, NULL), 0);
			trn_device_list_free(list);
			(void)trn_type_get_available(f.big);
		}
	}
	return NULL;
}

static void start_workers(struct worker *workers)
{
	stop = false;
	memset(workers, 0, NR_THREADS * sizeof(*workers));
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		workers[i].seed = i + 1;
		pthread_create(&workers[i].thread, NULL, churn, &workers[i]);
	}
}

static void stop_workers(struct worker *workers)
{
	stop = true;
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

/* On a busy machine the workers may begin late. */
static bool was_everything_done(const struct worker *workers)
{
	unsigned int created = 0, removed = 0, opened = 0;

	for (int i = 0; i < NR_THREADS; i++) {
		created += workers[i].nr_created;
		removed += workers[i].nr_removed;
		opened += workers[i].nr_opened;
	}
	return created && removed && opened;
}

struct tally {
	_Atomic unsigned int nr[4];
};

static void count_event(const struct trn_event *event, void *data)
{
	struct tally *tally = data;

	tally->nr[event->kind]++;
}

static void test_create_open_remove(void **state)
{
	struct worker workers[NR_THREADS];
	unsigned int created = 0, removed = 0, opened = 0;
	struct tally tally = { 0 };
	struct trn_listener *l;
	uint64_t start = base_clock_ns();

	core = trn_core_create();
	l = trn_listener_add(core, count_event, &tally);
	fake_init(&f, core, "p0");
	start_workers(workers);
	while (base_clock_ns() - start < RUN_NS || (!was_everything_done(workers) && base_clock_ns() - start < LIMIT_NS))
		usleep(1000);
	stop_workers(workers);
	for (int i = 0; i < NR_THREADS; i++) {
		created += workers[i].nr_created;
		removed += workers[i].nr_removed;
		opened += workers[i].nr_opened;
	}
	assert_true(created > 0 && removed > 0 && opened > 0);
	assert_int_equal(tally.nr[TRN_EVENT_DEVICE_ADDED], created);
	assert_int_equal(tally.nr[TRN_EVENT_DEVICE_REMOVED], removed);
	fake_finish(&f);
	assert_int_equal(tally.nr[TRN_EVENT_DEVICE_REMOVED], created);
	trn_listener_remove(l);
	trn_core_destroy(core);
}

/* Several threads unregister under the workers; exactly one of them does it. */
static void *unregister(void *arg)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 20000, .ask_every_ms = 1 };
	int *result = arg;

	*result = trn_parent_unregister(f.parent, &how, NULL);
	return NULL;
}

static void test_unregister_under_load(void **state)
{
	for (int round = 0; round < 10; round++) {
		struct worker workers[NR_THREADS];
		struct tally tally = { 0 };
		struct trn_listener *l;
		pthread_t threads[2];
		int results[2];

		core = trn_core_create();
		l = trn_listener_add(core, count_event, &tally);
		fake_init(&f, core, "p0");
		start_workers(workers);
		usleep(5000);
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, unregister, &results[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		usleep(1000);
		stop_workers(workers);
		assert_true((results[0] == 0 && results[1] == 1) || (results[0] == 1 && results[1] == 0));
		assert_int_equal(tally.nr[TRN_EVENT_DEVICE_ADDED], tally.nr[TRN_EVENT_DEVICE_REMOVED]);
		assert_int_equal(tally.nr[TRN_EVENT_PARENT_UNREGISTERED], 1);
		fake_finish(&f);
		trn_listener_remove(l);
		trn_core_destroy(core);
	}
}

/* Everybody wants the same device at the same moment. */
struct contest {
	pthread_barrier_t barrier;
	struct trn_device *dev;
	_Atomic unsigned int nr_won, nr_lost;
};

static void *contest_create(void *arg)
{
	struct contest *c = arg;
	int r;

	pthread_barrier_wait(&c->barrier);
	r = fake_create(f.small, 7, NULL, NULL);
	assert_true(r == 0 || r == -EEXIST);
	*(r == 0 ? &c->nr_won : &c->nr_lost) += 1;
	return NULL;
}

static void *contest_remove(void *arg)
{
	struct contest *c = arg;
	int r;

	pthread_barrier_wait(&c->barrier);
	r = trn_device_remove(c->dev, NULL, NULL);
	assert_true(r == 0 || r == 1);
	*(r == 0 ? &c->nr_won : &c->nr_lost) += 1;
	return NULL;
}

static void run_contest(struct contest *c, void *(*fn)(void *))
{
	pthread_t threads[NR_THREADS];

	c->nr_won = c->nr_lost = 0;
	pthread_barrier_init(&c->barrier, NULL, NR_THREADS);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, fn, c);
	for (int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&c->barrier);
	assert_int_equal(c->nr_won, 1);
	assert_int_equal(c->nr_lost, NR_THREADS - 1);
}

static void test_one_creates_and_one_removes(void **state)
{
	struct contest c = { 0 };

	core = trn_core_create();
	fake_init(&f, core, "p0");
	for (int round = 0; round < 50; round++) {
		run_contest(&c, contest_create);
		assert_int_equal(trn_device_find(core, fake_uuid(7), &c.dev, NULL), 0);
		run_contest(&c, contest_remove);
		c.dev = trn_device_unref(c.dev);
	}
	assert_int_equal(f.nr_releases, 50);
	fake_finish(&f);
	trn_core_destroy(core);
}

/* Opens and closes against a remove that waits: no wake-up is lost, so it ends long before its limit. */
static void *open_and_close(void *arg)
{
	struct trn_device *dev = arg;
	struct trn_use *use = NULL;

	while (trn_device_open(dev, "churner", NULL, &use, NULL) == 0)
		trn_use_close(use);
	return NULL;
}

static void test_no_wake_up_is_lost(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 30000, .ask_every_ms = 60000 };

	core = trn_core_create();
	fake_init(&f, core, "p0");
	for (unsigned int round = 0; round < 100; round++) {
		struct trn_device *dev = fake_device(f.small, round);
		uint64_t start = base_clock_ns();
		pthread_t threads[2];

		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, open_and_close, dev);
		usleep(round * 10);
		assert_int_equal(trn_device_remove(dev, &how, NULL), 0);
		assert_true(base_clock_ns() - start < 10000000000ull);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		trn_device_unref(dev);
	}
	fake_finish(&f);
	trn_core_destroy(core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_open_remove),
		cmocka_unit_test(test_unregister_under_load),
		cmocka_unit_test(test_one_creates_and_one_removes),
		cmocka_unit_test(test_no_wake_up_is_lost),
	};

	return unit_run(tests);
}
