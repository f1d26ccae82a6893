/* SPDX-License-Identifier: MIT */
/*
 * To save a device with much memory takes long, and the device is used meanwhile: in the middle of one call of a holder, another
 * thread gets at it, many times, and may end what is being saved.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "pci/pci_priv.h"
#include "pci_fake.h"

#define PAGE 4096u
#define BAR_SIZE (64u << 20)
#define FILLED (8u << 20)
#define ROOM (FILLED + (1u << 20)) /* for what comes of it with heads */
#define MANY 10u
#define MAX_TRIES 20u

static struct pci_fake a, b;
static struct trn_pci_migration migration;

/* Under the device's lock, so that who gets at it sees how far the call is. */
static struct {
	uint8_t *buf; /* that is being filled; NULL: none */
	size_t level; /* pages of it that are known to be filled */
	unsigned int nr_levels; /* that were seen in the middle */
	void (*act)(void); /* called once in the middle */
	bool has_acted;
	uint8_t *more; /* what act read */
	ssize_t more_len;
} seen;

/* At one of two places, as a page's head, which has zeroes, may be at the other. */
static bool is_filled(size_t page)
{
	const uint8_t *at = seen.buf + page * PAGE;

	return page < FILLED / PAGE && (at[0] || at[PAGE / 2]);
}

static void look(void)
{
	size_t before = seen.level;

	while (is_filled(seen.level))
		seen.level++;
	if (seen.level == before || seen.level == FILLED / PAGE)
		return;
	seen.nr_levels++;
	if (seen.act && !seen.has_acted) {
		seen.has_acted = true;
		seen.act();
	}
}

static int rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	if (seen.buf && pci_fake_of(pci) == &a)
		look();
	memset(buf, 0, len);
	return 0;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_bar registers = { .size = PAGE, .rw = rw };
	const struct trn_pci_bar ram = { .size = BAR_SIZE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };

	assert_int_equal(trn_pci_add_bar(pci, 0, &registers, err), 0);
	return trn_pci_add_bar(pci, 1, &ram, err);
}

static uint8_t *ram(struct pci_fake *f)
{
	return trn_pci_ram(f->pci, 1);
}

static void go(struct pci_fake *f, enum trn_mig_state to)
{
	assert_int_equal(trn_use_mig_set_state(f->use, to, NULL), 0);
}

/* --- The other thread --- */

static struct {
	pthread_t thread;
	atomic_bool has_to_stop;
} other;

static void *use_device(void *unused)
{
	uint32_t v;

	while (!other.has_to_stop) {
		/* Refused after a reset. */
		trn_use_region_read(a.use, 0, 0, &v, sizeof(v));
	}
	return NULL;
}

static int setup(void **state)
{
	migration = (struct trn_pci_migration){
		.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
		.version = 1,
	};
	memset(&seen, 0, sizeof(seen));
	a = b = (struct pci_fake){ .build = build, .migration = &migration };
	pci_fake_start(&a);
	pci_fake_start(&b);
	config_enable(&a);
	other.has_to_stop = false;
	return 0;
}

static int setup_used(void **state)
{
	setup(state);
	return pthread_create(&other.thread, NULL, use_device, NULL);
}

static int teardown(void **state)
{
	pci_fake_stop(&a);
	pci_fake_stop(&b);
	return 0;
}

static int teardown_used(void **state)
{
	other.has_to_stop = true;
	pthread_join(other.thread, NULL);
	return teardown(state);
}

/* --- The lock --- */

static void *take_once(void *has_had_it)
{
	trn_pci_lock(a.pci);
	trn_pci_lock(a.pci); /* again, while we wait for nobody */
	*(bool *)has_had_it = true;
	trn_pci_unlock(a.pci);
	trn_pci_unlock(a.pci);
	return NULL;
}

static uint32_t called(void)
{
	return pci_lock_now(atomic_load(&a.pci->lock.queue));
}

static uint64_t queue_length(void)
{
	uint64_t queue = atomic_load(&a.pci->lock.queue);

	return pci_lock_next(queue) - pci_lock_now(queue);
}

static void test_who_waits_is_next(void **state)
{
	pthread_t thread;

	for (unsigned int i = 0; i < 100; i++) {
		bool has_had_it = false, before, after;

		trn_pci_lock(a.pci);
		assert_int_equal(pthread_create(&thread, NULL, take_once, &has_had_it), 0);
		while (queue_length() < 2)
			sched_yield();
		before = has_had_it;
		pci_lock_pause(&a.pci->lock);
		after = has_had_it;
		trn_pci_unlock(a.pci);
		pthread_join(thread, NULL);
		assert_true(!before && after);
	}
	assert_int_equal(queue_length(), 0);
}

/* Who calls with the lock held does not lose it. */
static void test_pause_of_an_owner(void **state)
{
	uint64_t before;

	trn_pci_lock(a.pci);
	before = called();
	trn_pci_lock(a.pci);
	pci_lock_pause(&a.pci->lock);
	trn_pci_unlock(a.pci);
	assert_int_equal(called(), before);
	trn_pci_unlock(a.pci);
	assert_int_equal(called(), before + 1);
}

/* --- Nothing has changed --- */

/* Zeroes that exist: all of it is looked at, and nothing is sent. */
static void fill_with_zeroes(void)
{
	volatile uint8_t *bytes = ram(&a);

	for (size_t at = 0; at < BAR_SIZE; at += PAGE)
		(void)bytes[at];
}

static void pass(void)
{
	uint8_t buf[PAGE];

	assert_int_equal(trn_use_mig_read(a.use, buf, sizeof(buf)), -ENOMSG);
}

static void measure(void)
{
	struct trn_mig_sizes sizes;

	assert_int_equal(trn_use_mig_sizes(a.use, &sizes), 0);
	assert_int_equal(sizes.initial | sizes.dirty, 0);
}

/* How often the lock was to be had, whether or not somebody wants it: with nobody else there, our own turns. */
static void assert_shared(void (*call)(void))
{
	uint64_t before = called();

	call();
	assert_true(called() - before >= BAR_SIZE / PAGE / 256);
}

static void test_passes_that_find_nothing(void **state)
{
	uint8_t buf[PAGE];

	fill_with_zeroes();
	go(&a, TRN_MIG_PRE_COPY);
	while (trn_use_mig_read(a.use, buf, sizeof(buf)) > 0)
		;
	assert_shared(pass);
	assert_shared(measure);
}

/* --- In the middle of a call that gives much --- */

static void fill(void)
{
	memset(ram(&a), 0x5a, FILLED);
}

/* One call, from the start of the stream on. */
static ssize_t read_seen(uint8_t *buf)
{
	ssize_t n;

	go(&a, TRN_MIG_PRE_COPY);
	memset(buf, 0, ROOM);
	trn_pci_lock(a.pci);
	seen.level = 0;
	seen.buf = buf;
	trn_pci_unlock(a.pci);
	n = trn_use_mig_read(a.use, buf, ROOM);
	trn_pci_lock(a.pci);
	seen.buf = NULL;
	trn_pci_unlock(a.pci);
	return n;
}

static uint8_t *allocate(void)
{
	uint8_t *buf = malloc(ROOM);

	assert_non_null(buf);
	return buf;
}

static void test_passes_that_send(void **state)
{
	uint8_t *buf = allocate();

	fill();
	for (unsigned int i = 0; i < MAX_TRIES && seen.nr_levels < MANY; i++) {
		go(&a, TRN_MIG_RUNNING);
		assert_true(read_seen(buf) > (ssize_t)FILLED);
	}
	assert_true(seen.nr_levels >= MANY);
	free(buf);
}

/* Reads with something done in the middle of it. Return: what the read said. */
static ssize_t read_with(uint8_t *buf, void (*act)(void))
{
	ssize_t n;

	fill();
	seen.act = act;
	for (unsigned int i = 0; i < MAX_TRIES; i++) {
		go(&a, TRN_MIG_RUNNING);
		n = read_seen(buf);
		if (seen.has_acted)
			return n;
	}
	fail_msg("nobody came in between in %u passes", MAX_TRIES);
	return 0;
}

static void reset(void)
{
	assert_int_equal(trn_use_reset(a.use), 0);
}

static void begin_anew(void)
{
	go(&a, TRN_MIG_RUNNING);
	go(&a, TRN_MIG_PRE_COPY);
}

static void assert_state(enum trn_mig_state expected)
{
	enum trn_mig_state s = TRN_MIG_ERROR;

	assert_int_equal(trn_use_mig_get_state(a.use, &s), 0);
	assert_int_equal(s, expected);
}

static void test_reset_in_the_middle(void **state)
{
	uint8_t *buf = allocate();

	assert_int_equal(read_with(buf, reset), -EINVAL);
	assert_state(TRN_MIG_RUNNING);
	free(buf);
}

/* Nothing of the next stream goes to who read the one before. */
static void test_another_stream_in_the_middle(void **state)
{
	uint8_t *buf = allocate();

	assert_int_equal(read_with(buf, begin_anew), -EINVAL);
	assert_state(TRN_MIG_PRE_COPY);
	assert_true(trn_use_mig_read(a.use, buf, 8) == 8);
	assert_memory_equal(buf, "trn-pci\n", 8);
	free(buf);
}

/* What begins with the first n bytes of buf, and then more, is all that b needs. */
static void assert_moves(uint8_t *buf, ssize_t n, const uint8_t *more, ssize_t more_len)
{
	assert_true(n > 0);
	go(&b, TRN_MIG_RESUMING);
	assert_int_equal(trn_use_mig_write(b.use, buf, (size_t)n, NULL), 0);
	if (more_len)
		assert_int_equal(trn_use_mig_write(b.use, more, (size_t)more_len, NULL), 0);
	go(&a, TRN_MIG_STOP_COPY);
	while ((n = trn_use_mig_read(a.use, buf, ROOM)) > 0)
		assert_int_equal(trn_use_mig_write(b.use, buf, (size_t)n, NULL), 0);
	assert_int_equal(n, 0);
	go(&b, TRN_MIG_STOP);
	assert_memory_equal(ram(&a), ram(&b), 2 * FILLED);
}

/* Before what was looked at and behind it; then the last look, which begins anew. */
static void write_and_stop(void)
{
	for (size_t page = 0; page < FILLED / PAGE; page += 100)
		ram(&a)[page * PAGE + 7] = (uint8_t)page;
	ram(&a)[2 * FILLED - 1] = 1;
	go(&a, TRN_MIG_STOP_COPY);
}

static void test_stop_in_the_middle(void **state)
{
	uint8_t *buf = allocate();
	ssize_t n = read_with(buf, write_and_stop);

	assert_moves(buf, n, NULL, 0);
	free(buf);
}

static void read_too(void)
{
	seen.more_len = trn_use_mig_read(a.use, seen.more, 10000);
}

/* Who had something before gives up, so that both have a piece that is whole. */
static void test_two_readers(void **state)
{
	uint8_t *buf = allocate();
	ssize_t n;

	seen.more = allocate();
	n = read_with(buf, read_too);
	assert_true(n < (ssize_t)FILLED);
	assert_int_equal(seen.more_len, 10000);
	assert_moves(buf, n, seen.more, seen.more_len);
	free(seen.more);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_waits_is_next, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause_of_an_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passes_that_find_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passes_that_send, setup_used, teardown_used),
		cmocka_unit_test_setup_teardown(test_reset_in_the_middle, setup_used, teardown_used),
		cmocka_unit_test_setup_teardown(test_another_stream_in_the_middle, setup_used, teardown_used),
		cmocka_unit_test_setup_teardown(test_stop_in_the_middle, setup_used, teardown_used),
		cmocka_unit_test_setup_teardown(test_two_readers, setup_used, teardown_used),
	};

	return unit_run(tests);
}
