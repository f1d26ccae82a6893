/* SPDX-License-Identifier: MIT */
/*
 * No wake-up of a guest's kernel is lost: threads that play the host, the device process and one or two sleepers of a guest,
 * in very many rounds.  One alone, since the other's wake-ups would hide one that is missing.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/futex.h"
#include "executor/wake.h"

#define ROUNDS 100000u
#define STALL_NS 5000000000ll
#define NEVER (~0ull)

struct asker {
	_Atomic uint64_t asked, done; /* rounds */
	uint64_t wake_at;	      /* under the kernel's lock */
};

static struct trnc_host_page page;
static struct trnc_kernel_page kernel;
static struct exec_waker waker;
static struct exec_sleeper sleeper;
static struct asker askers[2]; /* of completions, of news */
static pthread_mutex_t kernel_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint32_t interrupts;
static _Atomic bool ending;
static uint64_t nr_sleeps[2];

/* ------------------------------------------------------------- the host */

static void pause_a_little(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	/* Mostly about as long as it takes to go to sleep. */
	for (uint32_t n = *seed >> (*seed & 4096 ? 23 : 28); n; n--)
		base_cpu_relax();
}

/* What was asked for is published, then counted, then told. */
static void serve(unsigned int which, uint64_t round)
{
	atomic_store_explicit(&askers[which].done, round, memory_order_release);
	if (which == 0) {
		atomic_fetch_add((_Atomic uint64_t *)&page.commands, 1);
		exec_sleeper_completed(&sleeper);
	} else if (round % 2) {
		exec_sleeper_news(&sleeper);
	} else {
		exec_waker_news(&waker);
	}
}

static void *host_thread(void *arg)
{
	uint32_t seed = 1;

	(void)arg;
	while (!atomic_load(&ending))
		for (unsigned int i = 0; i < 2; i++) {
			uint64_t asked = atomic_load(&askers[i].asked);

			if (asked == atomic_load(&askers[i].done))
				continue;
			pause_a_little(&seed);
			serve(i, asked);
		}
	return NULL;
}

/* --------------------------------------------------- the device process */

static void *device_thread(void *arg)
{
	struct pollfd p = { .fd = waker.fd, .events = POLLIN };
	uint64_t count;

	(void)arg;
	while (!atomic_load(&ending)) {
		if (poll(&p, 1, 100) <= 0 || read(waker.fd, &count, sizeof(count)) < 0)
			continue;
		if (atomic_exchange((_Atomic uint32_t *)&kernel.kernel_asleep, TRNC_KERNEL_AWAKE) != TRNC_KERNEL_AWAKE) {
			atomic_fetch_add(&interrupts, 1);
			base_futex_wake(&interrupts);
		}
	}
	return NULL;
}

/* ------------------------------------------------------------- the guest */

static void arm(unsigned int which, uint64_t wake_at)
{
	pthread_mutex_lock(&kernel_lock);
	askers[which].wake_at = wake_at;
	atomic_store((_Atomic uint64_t *)&kernel.wake_at,
		     askers[0].wake_at < askers[1].wake_at ? askers[0].wake_at : askers[1].wake_at);
	atomic_store((_Atomic uint32_t *)&kernel.kernel_asleep, TRNC_KERNEL_ASLEEP);
	pthread_mutex_unlock(&kernel_lock);
}

static bool has_news(uint64_t commands, uint64_t attention)
{
	return atomic_load((_Atomic uint64_t *)&page.commands) != commands ||
	       atomic_load((_Atomic uint64_t *)&page.attention) != attention;
}

/* The kernel's call to wait.  False: it slept for too long, although there was news all the time. */
static bool wait_in_kernel(unsigned int which, uint64_t commands, uint64_t attention)
{
	bool was_late = false;

	for (;;) {
		uint32_t seen = atomic_load(&interrupts);

		arm(which, which == 0 ? commands + 1 : NEVER);
		if (has_news(commands, attention))
			return true;
		nr_sleeps[which]++;
		/* A machine with much to do may be late itself: so twice in a row. */
		while (base_futex_wait(&interrupts, seen, STALL_NS) == -ETIMEDOUT && atomic_load(&interrupts) == seen) {
			if (was_late && has_news(commands, attention))
				return false;
			was_late = has_news(commands, attention);
		}
	}
}

static void *guest_thread(void *arg)
{
	unsigned int which = arg == &askers[1];
	struct asker *a = arg;

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		atomic_store(&a->asked, round);
		for (;;) {
			uint64_t commands = atomic_load((_Atomic uint64_t *)&page.commands);
			uint64_t attention = atomic_load((_Atomic uint64_t *)&page.attention);

			if (atomic_load(&a->done) == round)
				break;
			if (!wait_in_kernel(which, commands, attention)) {
				fprintf(stderr, "round %llu of sleeper %u has stalled\n", (unsigned long long)round, which);
				return a;
			}
		}
	}
	arm(which, NEVER);
	return NULL;
}

static void run(unsigned int first, unsigned int last)
{
	pthread_t host, device, guests[2];
	void *stalled[2] = { NULL };

	memset(askers, 0, sizeof(askers));
	memset(nr_sleeps, 0, sizeof(nr_sleeps));
	atomic_store(&ending, false);
	exec_waker_init(&waker, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	assert_true(waker.fd >= 0);
	exec_waker_add(&waker, &sleeper, &page, &kernel);
	askers[0].wake_at = askers[1].wake_at = NEVER;
	assert_int_equal(pthread_create(&host, NULL, host_thread, NULL), 0);
	assert_int_equal(pthread_create(&device, NULL, device_thread, NULL), 0);
	for (unsigned int i = first; i <= last; i++)
		assert_int_equal(pthread_create(&guests[i], NULL, guest_thread, &askers[i]), 0);
	for (unsigned int i = first; i <= last; i++)
		pthread_join(guests[i], &stalled[i]);
	atomic_store(&ending, true);
	pthread_join(host, NULL);
	pthread_join(device, NULL);
	print_message("slept %llu and %llu times, %u interrupts\n", (unsigned long long)nr_sleeps[0],
		      (unsigned long long)nr_sleeps[1], atomic_load(&interrupts));
	for (unsigned int i = first; i <= last; i++) {
		assert_null(stalled[i]);
		/* Else nothing was tried. */
		assert_true(nr_sleeps[i] > ROUNDS / 100);
	}
	exec_waker_remove(&sleeper);
	assert_true(base_list_is_empty(&waker.sleepers));
	close(waker.fd);
}

static void test_one_who_waits_for_completions(void **state)
{
	(void)state;
	run(0, 0);
}

static void test_one_who_waits_for_news(void **state)
{
	(void)state;
	run(1, 1);
}

static void test_two_who_sleep(void **state)
{
	(void)state;
	run(0, 1);
}

static uint32_t asleep_after(uint64_t commands, uint64_t wake_at, uint32_t asleep, bool is_news, uint64_t *ret_count)
{
	struct trnc_host_page host = { .commands = commands };
	struct trnc_kernel_page k = { .kernel_asleep = asleep, .wake_at = wake_at };
	struct exec_sleeper s = { 0 };
	struct exec_waker w;

	exec_waker_init(&w, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	exec_waker_add(&w, &s, &host, &k);
	if (is_news)
		exec_sleeper_news(&s);
	else
		exec_sleeper_completed(&s);
	assert_int_equal(host.attention, is_news);
	if (read(w.fd, ret_count, sizeof(*ret_count)) < 0)
		*ret_count = 0;
	exec_waker_remove(&s);
	close(w.fd);
	return k.kernel_asleep;
}

static void test_who_is_woken(void **state)
{
	uint64_t woken;

	(void)state;
	assert_int_equal(asleep_after(4, 5, TRNC_KERNEL_ASLEEP, false, &woken), TRNC_KERNEL_ASLEEP);
	assert_int_equal(woken, 0);
	assert_int_equal(asleep_after(5, 5, TRNC_KERNEL_ASLEEP, false, &woken), TRNC_KERNEL_WAKING);
	assert_int_equal(woken, 1);
	assert_int_equal(asleep_after(5, 5, TRNC_KERNEL_AWAKE, false, &woken), TRNC_KERNEL_AWAKE);
	assert_int_equal(woken, 0);
	assert_int_equal(asleep_after(5, 5, TRNC_KERNEL_WAKING, true, &woken), TRNC_KERNEL_WAKING);
	assert_int_equal(woken, 0);
	assert_int_equal(asleep_after(5, NEVER, TRNC_KERNEL_ASLEEP, false, &woken), TRNC_KERNEL_ASLEEP);
	assert_int_equal(woken, 0);
	assert_int_equal(asleep_after(0, NEVER, TRNC_KERNEL_ASLEEP, true, &woken), TRNC_KERNEL_WAKING);
	assert_int_equal(woken, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_woken),
		cmocka_unit_test(test_one_who_waits_for_completions),
		cmocka_unit_test(test_one_who_waits_for_news),
		cmocka_unit_test(test_two_who_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
