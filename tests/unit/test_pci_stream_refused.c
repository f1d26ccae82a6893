/* SPDX-License-Identifier: MIT */
/* C20: streams that are damaged, made to harm, or of another device: refused, and the device is as it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pci_movers.h"

/* The state of b is as it was, and b can be used further. */
static void assert_untouched(const struct mover_picture *before, const uint8_t *ram_before)
{
	static struct mover_picture after;
	enum trn_mig_state s = TRN_MIG_ERROR;

	assert_int_equal(trn_use_mig_get_state(movers.b.fake.use, &s), 0);
	assert_int_equal(s, TRN_MIG_RESUMING);
	mover_look(&movers.b, &after);
	assert_memory_equal(before, &after, sizeof(after));
	assert_memory_equal(ram_before, mover_ram(&movers.b, 2), BAR_SIZE);
}

/* Back to RESUMING with nothing written, without a reset, which would change what is compared: the refused way again. */
static void forget_stream(void)
{
	assert_true(trn_use_mig_set_state(movers.b.fake.use, TRN_MIG_STOP, NULL) < 0);
}

struct attack {
	struct mover_stream s;
	struct mover_picture before;
	uint8_t ram_before[BAR_SIZE];
};

static void begin_attack(struct attack *k)
{
	mover_make_busy(&movers.a, 77);
	mover_make_busy(&movers.b, 88);
	k->s = mover_save_all(&movers.a, 10000);
	mover_look(&movers.b, &k->before);
	memcpy(k->ram_before, mover_ram(&movers.b, 2), BAR_SIZE);
	mover_go(&movers.b, TRN_MIG_RESUMING);
}

static void assert_stream_refused(const struct attack *k, const uint8_t *data, size_t len)
{
	struct trn_error err = { 0 };
	int r = mover_try_load(&movers.b, data, len, 10000, &err);

	if (r != -EINVAL && r != -EFBIG)
		fail_msg("taken in, or %d: %s", r, err.text);
	assert_true(err.text[0] != '\0');
	assert_untouched(&k->before, k->ram_before);
	forget_stream();
}

static void end_attack(struct attack *k)
{
	mover_load_all(&movers.b, &k->s, 10000); /* the right one still is */
	mover_assert_same(&movers.a, &movers.b);
	mover_finish(&k->s);
}

static struct attack attack;

static void test_truncated_at_every_byte(void **state)
{
	begin_attack(&attack);
	for (size_t len = 0; len < attack.s.len; len++) {
		/* Pages are all alike inside. */
		if (len > 2000 && len < attack.s.len - 700 && len % 61)
			continue;
		assert_stream_refused(&attack, attack.s.data, len);
	}
	end_attack(&attack);
}

static void test_each_byte_flipped(void **state)
{
	uint8_t *copy;

	begin_attack(&attack);
	copy = malloc(attack.s.len);
	assert_non_null(copy);
	for (size_t at = 0; at < attack.s.len; at++) {
		if (at > 2000 && at < attack.s.len - 700 && at % 97)
			continue;
		memcpy(copy, attack.s.data, attack.s.len);
		copy[at] ^= (uint8_t)(1u << (at % 8));
		assert_stream_refused(&attack, copy, attack.s.len);
	}
	free(copy);
	end_attack(&attack);
}

static void test_something_behind_the_end(void **state)
{
	begin_attack(&attack);
	mover_append(&attack.s, "x", 1);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	attack.s.len--;
	end_attack(&attack);
}

/* What is not for this device is refused while it is written, as soon as it can be known. */
static void test_refused_early(void **state)
{
	struct trn_error err = { 0 };
	size_t at = 0;
	int r = 0;

	mover_make_busy(&movers.a, 5);
	strcpy(movers.b.compat, "two");
	attack.s = mover_save_all(&movers.a, 10000);
	mover_go(&movers.b, TRN_MIG_RESUMING);
	for (; at < attack.s.len && r == 0; at++)
		r = trn_use_mig_write(movers.b.fake.use, attack.s.data + at, 1, &err);
	assert_int_equal(r, -EINVAL);
	assert_true(at < 1200); /* no page was taken in */
	assert_int_equal(trn_use_mig_write(movers.b.fake.use, "", 1, NULL), -EINVAL); /* and stays refused */
	assert_int_equal(movers.b.nr_loads, 0);
	mover_finish(&attack.s);
}

static void expect_other_device(const char *word)
{
	struct mover_stream s = mover_save_all(&movers.a, 10000);
	struct trn_error err = { 0 };

	assert_int_equal(mover_try_load(&movers.b, s.data, s.len, 100, &err), -EINVAL);
	if (!strstr(err.text, word))
		fail_msg("no \"%s\" in: %s", word, err.text);
	mover_finish(&s);
}

static void test_other_layout(void **state)
{
	pci_fake_stop(&movers.b.fake);
	movers.is_other_layout = true;
	mover_start(&movers.b);
	expect_other_device("capabilities");
}

static void test_other_size(void **state)
{
	pci_fake_stop(&movers.b.fake);
	movers.is_large = true;
	mover_start(&movers.b);
	expect_other_device("region 2");
}

static void test_newer_driver(void **state)
{
	struct mover_stream s = mover_save_all(&movers.a, 10000);
	struct trn_error err = { 0 };

	movers.migration.version = 8; /* takes what is older */
	mover_load_all(&movers.b, &s, 10000);
	assert_int_equal(movers.b.loaded_version, 7);
	movers.migration.version = 6;
	assert_int_equal(mover_try_load(&movers.b, s.data, s.len, 100, &err), -EINVAL);
	assert_non_null(strstr(err.text, "newer"));
	mover_finish(&s);
}

static int check_compat(struct trn_pci *pci, const void *data, size_t len, struct trn_error *err)
{
	return movers.has_own_check && len == 3 ? 0 : trn_error_set(err, -EINVAL, "Fake", "the fake wants three bytes");
}

static void test_driver_compares_itself(void **state)
{
	struct mover_stream s;

	strcpy(movers.b.compat, "any");
	movers.migration.check_compat = check_compat;
	movers.has_own_check = true;
	s = mover_save_all(&movers.a, 100);
	mover_load_all(&movers.b, &s, 100);
	mover_finish(&s);
	mover_go(&movers.a, TRN_MIG_RUNNING);
	strcpy(movers.a.compat, "four");
	expect_other_device("three bytes");
}

/* More than the driver said it could be: neither sent nor taken in. */
static void test_too_much_state(void **state)
{
	struct trn_error err = { 0 };
	uint8_t buf[10000];
	struct mover_stream s;
	ssize_t n;

	movers.a.state[0] = MAX_STATE;
	s = mover_save_all(&movers.a, 10000);
	movers.migration.max_state = MAX_STATE - 1;
	assert_int_equal(mover_try_load(&movers.b, s.data, s.len, 10000, &err), -EFBIG);
	mover_go(&movers.a, TRN_MIG_RUNNING);
	mover_go(&movers.a, TRN_MIG_STOP_COPY);
	do
		n = trn_use_mig_read(movers.a.fake.use, buf, sizeof(buf));
	while (n > 0);
	assert_int_equal(n, -EFBIG);
	assert_int_equal(trn_use_mig_read(movers.a.fake.use, buf, sizeof(buf)), -EFBIG);
	mover_finish(&s);
}

/* A configuration space that no such device could have, with a right checksum: made by a device with another one. */
static void test_impossible_config(void **state)
{
	uint8_t byte = 0x42;

	begin_attack(&attack);
	mover_finish(&attack.s);
	mover_go(&movers.a, TRN_MIG_RUNNING);
	assert_int_equal(trn_pci_config_set(movers.a.fake.pci, 8, &byte, 1), 0); /* its revision */
	attack.s = mover_save_all(&movers.a, 10000);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	assert_int_equal(movers.b.nr_loads, 0);
	mover_finish(&attack.s);
}

/* The driver's word comes before anything changes. */
static void test_driver_refuses(void **state)
{
	begin_attack(&attack);
	mover_finish(&attack.s);
	mover_go(&movers.a, TRN_MIG_RUNNING);
	movers.migration.save = NULL;
	attack.s = mover_save_all(&movers.a, 10000);
	movers.migration.save = mover_save;
	mover_load_all(&movers.b, &attack.s, 10000); /* nothing is a state too */
	mover_finish(&attack.s);
	memset(&movers.a.state, 0, sizeof(movers.a.state));
	movers.a.state[0] = 3;
	mover_go(&movers.a, TRN_MIG_RUNNING);
	attack.s = mover_save_all(&movers.a, 10000);
	movers.migration.load = NULL;
	mover_go(&movers.b, TRN_MIG_STOP);
	mover_make_busy(&movers.b, 99);
	mover_look(&movers.b, &attack.before);
	memcpy(attack.ram_before, mover_ram(&movers.b, 2), BAR_SIZE);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	mover_finish(&attack.s);
}

static void test_random_bytes(void **state)
{
	uint8_t buf[3000];

	srand(3);
	begin_attack(&attack);
	for (int i = 0; i < 300; i++) {
		size_t keep = (size_t)rand() % 1500, len = keep + (size_t)rand() % 1500;

		for (size_t at = 0; at < len; at++)
			buf[at] = (uint8_t)rand();
		memcpy(buf, attack.s.data, keep);
		assert_stream_refused(&attack, buf, len);
	}
	end_attack(&attack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVERS_TEST(test_truncated_at_every_byte),
		MOVERS_TEST(test_each_byte_flipped),
		MOVERS_TEST(test_something_behind_the_end),
		MOVERS_TEST(test_refused_early),
		MOVERS_TEST(test_other_layout),
		MOVERS_TEST(test_other_size),
		MOVERS_TEST(test_newer_driver),
		MOVERS_TEST(test_driver_compares_itself),
		MOVERS_TEST(test_too_much_state),
		MOVERS_TEST(test_impossible_config),
		MOVERS_TEST(test_driver_refuses),
		MOVERS_TEST(test_random_bytes),
	};

	return unit_run(tests);
}
