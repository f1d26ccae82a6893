/* SPDX-License-Identifier: MIT */
/* A START as tranche-parent checks it; tests/device/test_forker.py sends the same over a socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/parent.h"
#include "unit.h"

#define HEAD_LEN (sizeof(struct trnc_msg) + sizeof(struct trnc_parent_start))

/* Of its own size to the byte, so that a sanitizer sees what is read behind it. */
struct packet {
	char *data;
	size_t len;
};

static struct packet make(uint32_t nr_env, const char *text, size_t text_len)
{
	struct packet p = { .len = HEAD_LEN + text_len };
	struct trnc_msg head = { .type = TRNC_PARENT_START, .len = (uint32_t)p.len, .id = 7 };
	struct trnc_parent_start body = { .nr_env = nr_env, .env_len = (uint32_t)text_len };

	p.data = malloc(p.len);
	assert_non_null(p.data);
	memcpy(p.data, &head, sizeof(head));
	memcpy(p.data + sizeof(head), &body, sizeof(body));
	memcpy(p.data + HEAD_LEN, text, text_len);
	return p;
}

static int parse(struct packet p, size_t nr_fds, struct parent_start *ret)
{
	struct trn_error err = { 0 };
	int r = parent_start_parse(ret, p.data, p.len, nr_fds, &err);

	assert_int_equal(r, err.code);
	assert_true(r == 0 || err.text[0]);
	return r;
}

static void expect_refused(struct packet p, size_t nr_fds, int r)
{
	struct parent_start s;

	assert_int_equal(parse(p, nr_fds, &s), r);
	assert_null(s.env);
	free(p.data);
}

static void test_taken(void **state)
{
	struct packet p = make(3, "A=1\0\0B=", 8);
	struct parent_start s;

	(void)state;
	assert_int_equal(parse(p, 2, &s), 0);
	assert_int_equal(s.id, 7);
	assert_string_equal(s.env[0], "A=1");
	assert_false(s.is_guest);
	assert_string_equal(s.env[1], "");
	assert_string_equal(s.env[2], "B=");
	assert_null(s.env[3]);
	parent_start_finish(&s);
	parent_start_finish(&s);
	free(p.data);
}

static void test_guest(void **state)
{
	static const char text[] = "A=1\0TRANCHE_GUEST=1";
	struct packet p = make(2, text, sizeof(text)), q = make(1, "TRANCHE_GUESTS=1", 17);
	struct parent_start s;

	(void)state;
	assert_int_equal(parse(p, 2, &s), 0);
	assert_true(s.is_guest);
	parent_start_finish(&s);
	free(p.data);
	assert_int_equal(parse(q, 2, &s), 0);
	assert_false(s.is_guest);
	parent_start_finish(&s);
	free(q.data);
}

static void test_empty_environment(void **state)
{
	struct packet p = make(0, "", 0);
	struct parent_start s;

	(void)state;
	assert_int_equal(parse(p, 2, &s), 0);
	assert_null(s.env[0]);
	parent_start_finish(&s);
	free(p.data);
}

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t len = 0; len < HEAD_LEN + 4; len++) {
		struct packet whole = make(1, "A=1", 4), cut = { .data = malloc(len), .len = len };
		uint32_t says = (uint32_t)len;

		assert_true(len == 0 || cut.data);
		if (len)
			memcpy(cut.data, whole.data, len);
		if (len >= 8) /* the message's own length is right, so that the next check is reached */
			memcpy(cut.data + 4, &says, sizeof(says));
		expect_refused(cut, 2, len < HEAD_LEN ? -EBADMSG : -EINVAL);
		free(whole.data);
	}
}

static void test_descriptors(void **state)
{
	(void)state;
	for (size_t nr = 0; nr < 5; nr++)
		if (nr != 2)
			expect_refused(make(1, "A=1", 4), nr, -EINVAL);
}

static void test_environment(void **state)
{
	(void)state;
	expect_refused(make(1, "A=1", 3), 2, -EINVAL);	     /* no NUL */
	expect_refused(make(2, "A=1\0B=2", 7), 2, -EINVAL);  /* none at the last one */
	expect_refused(make(2, "A=1", 4), 2, -EINVAL);	     /* fewer than said */
	expect_refused(make(1, "A=1\0B=2", 8), 2, -EINVAL);  /* more */
	expect_refused(make(0, "A=1", 4), 2, -EINVAL);
	expect_refused(make(UINT32_MAX, "A=1", 4), 2, -EINVAL);
}

static void test_lengths(void **state)
{
	static const uint32_t wrong[] = { 0, 3, 5, 1u << 31, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct packet p = make(1, "A=1", 4);

		memcpy(p.data + HEAD_LEN - sizeof(uint32_t), &wrong[i], sizeof(wrong[i]));
		expect_refused(p, 2, -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),	    cmocka_unit_test(test_empty_environment),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_guest),
	};

	return unit_run(tests);
}
