/* SPDX-License-Identifier: MIT */
/* A display moves while somebody draws on it; what is no display's state is refused. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "display.h"
#include "parents/bochs/priv.h"

struct stream {
	uint8_t *data;
	size_t len;
};

static void stream_append(struct stream *s, const void *data, size_t len)
{
	s->data = realloc(s->data, s->len + len);
	assert_non_null(s->data);
	memcpy(s->data + s->len, data, len);
	s->len += len;
}

/* Reads at most max bytes of what there is now; at the end of pre-copy's news, or of all, returns. */
static void read_some(struct display *d, struct stream *s, size_t max)
{
	static uint8_t buf[65536];
	size_t start = s->len;
	ssize_t n;

	while (s->len - start < max && (n = trn_use_mig_read(d->use, buf, sizeof(buf))) > 0)
		stream_append(s, buf, (size_t)n);
	if (s->len - start < max)
		assert_true(n == 0 || n == -ENOMSG);
}

static void set_state(struct display *d, enum trn_mig_state to)
{
	struct trn_error err = { 0 };

	if (trn_use_mig_set_state(d->use, to, &err) < 0)
		fail_msg("to state %d: %s", to, err.text);
}

static int load(struct display *d, const struct stream *s, struct trn_error *err)
{
	int r = 0;

	set_state(d, TRN_MIG_STOP);
	set_state(d, TRN_MIG_RESUMING);
	for (size_t at = 0; at < s->len && r == 0; at += 100000)
		r = trn_use_mig_write(d->use, s->data + at, s->len - at < 100000 ? s->len - at : 100000, err);
	return r < 0 ? r : trn_use_mig_set_state(d->use, TRN_MIG_RUNNING, err);
}

struct painter {
	struct display *d;
	atomic_bool shall_stop;
	atomic_uint nr_strokes;
};

static void *paint(void *data)
{
	struct painter *p = data;
	unsigned int seed = 1;

	while (!p->shall_stop) {
		seed = seed * 1103515245u + 12345u;
		memset(p->d->memory + seed % (p->d->memory_size - 5000), (int)(seed >> 24), seed >> 8 & 4095);
		p->nr_strokes++;
	}
	return NULL;
}

static void check_same(struct display *a, struct display *b)
{
	uint8_t own[2048], other[2048];

	for (unsigned int reg = ID; reg <= MEMORY_64K; reg++)
		assert_int_equal(display_read(a, reg), display_read(b, reg));
	assert_int_equal(trn_use_region_read(a->use, REGION_EDID, 0, own, sizeof(own)), 0);
	assert_int_equal(trn_use_region_read(b->use, REGION_EDID, 0, other, sizeof(other)), 0);
	assert_memory_equal(own, other, sizeof(own));
	assert_int_equal(memcmp(a->memory, b->memory, a->memory_size), 0);
}

/* As a VMM does it: copies while the guest runs, lets it stop, copies the rest. */
static void move(struct display *from, struct stream *s)
{
	struct painter painter = { .d = from };
	pthread_t thread;

	set_state(from, TRN_MIG_PRE_COPY);
	assert_int_equal(pthread_create(&thread, NULL, paint, &painter), 0);
	for (int i = 0; i < 20; i++) {
		unsigned int strokes = painter.nr_strokes;

		read_some(from, s, 400000);
		while (painter.nr_strokes == strokes)
			sched_yield();
	}
	set_state(from, TRN_MIG_PRE_COPY_P2P);
	painter.shall_stop = true;
	pthread_join(thread, NULL);
	set_state(from, TRN_MIG_STOP_COPY);
	read_some(from, s, SIZE_MAX);
	set_state(from, TRN_MIG_STOP);
	set_state(from, TRN_MIG_RUNNING);
}

static void test_move_while_drawing(void **state)
{
	const char name[] = "the VMM's own monitor";
	struct display from, to;
	struct stream s = { 0 };
	struct trn_error err = { 0 };

	display_open(&from, "bochs-small", NULL);
	display_open(&to, "bochs-small", NULL);
	display_set_mode(&from, 640, 480, 32);
	display_write(&from, VIRT_WIDTH, 700);
	display_write(&from, Y_OFFSET, 11);
	assert_int_equal(trn_use_region_write(from.use, REGION_EDID, 1200, name, sizeof(name)), 0);
	memset(to.memory, 0x77, to.memory_size);
	assert_int_equal(trn_use_mig_flags(from.use), TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY);
	for (int round = 0; round < 5; round++) {
		s.len = 0;
		move(&from, &s);
		if (load(&to, &s, &err) < 0)
			fail_msg("%s", err.text);
		check_same(&from, &to);
	}
	free(s.data);
	display_close(&from);
	display_close(&to);
}

static void save(struct display *d, struct stream *s)
{
	set_state(d, TRN_MIG_STOP_COPY);
	read_some(d, s, SIZE_MAX);
	set_state(d, TRN_MIG_RUNNING);
}

/* The display's own part of a stream, of a mode 642x481 with 32 bits, on. */
static void make_state(uint8_t out[1056])
{
	static const uint8_t begin[] = {
		0, 0, 0x82, 0x02, 0xe1, 0x01, 0x20, 0, 0x41, 0, 0, 0, 0x90, 0x02, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x80, 0, 0, 0,
	};

	memset(out, 0x2d, 1056);
	memcpy(out, begin, sizeof(begin));
}

static void check_refused(struct display *d, size_t at, uint8_t value)
{
	struct trn_error err = { 0 };
	uint8_t bytes[1056];

	make_state(bytes);
	bytes[at] = value;
	assert_int_equal(bochs_migration.load(d->pci, 1, bytes, sizeof(bytes), &err), -EINVAL);
	assert_true(err.text[0]);
	/* nothing of it was taken */
	assert_int_equal(display_read(d, XRES), 320);
	assert_int_equal(display_read(d, Y_OFFSET), 0);
}

static void test_impossible_states(void **state)
{
	uint8_t bytes[1056], got[128];
	struct display d;

	display_open(&d, "bochs-small", NULL);
	display_set_mode(&d, 320, 200, 16);
	check_refused(&d, 0, 1);      /* an identity */
	check_refused(&d, 3, 0x05);   /* 1410 pixels wide */
	check_refused(&d, 5, 0x05);   /* 1505 rows */
	check_refused(&d, 6, 0x08);   /* 8 bits */
	check_refused(&d, 9, 0x01);   /* a flag that there is not */
	check_refused(&d, 10, 0x01);  /* a bank */
	check_refused(&d, 12, 0x01);  /* rows that are narrower than the screen */
	check_refused(&d, 13, 0xff);  /* rows that do not fit in the memory */
	check_refused(&d, 15, 0x01);  /* a height that is computed */
	check_refused(&d, 20, 0x40);  /* a size likewise */
	check_refused(&d, 22, 0x01);  /* what must be zero */
	check_refused(&d, 24, 0x03);  /* the link is neither up nor down */
	check_refused(&d, 30, 0x01);  /* more EDID than there is room for */
	make_state(bytes);
	assert_int_equal(bochs_migration.load(d.pci, 1, bytes, sizeof(bytes) - 1, NULL), -EINVAL);
	assert_int_equal(bochs_migration.load(d.pci, 0, bytes, sizeof(bytes), NULL), -EINVAL);
	/* and as it was it is fine */
	assert_int_equal(bochs_migration.load(d.pci, 1, bytes, sizeof(bytes), NULL), 0);
	assert_int_equal(display_read(&d, XRES), 642);
	assert_int_equal(display_read(&d, VIRT_WIDTH), 656);
	assert_int_equal(display_read(&d, Y_OFFSET), 6);
	assert_int_equal(trn_use_region_read(d.use, REGION_MMIO, 0, got, sizeof(got)), 0);
	assert_memory_equal(got, bytes + 32, sizeof(got));
	display_close(&d);
}

static void test_another_size(void **state)
{
	struct trn_error err = { 0 };
	struct display from, to;
	struct stream s = { 0 };

	display_open(&from, "bochs-small", NULL);
	display_open(&to, "bochs-medium", NULL);
	display_set_mode(&from, 640, 480, 32);
	save(&from, &s);
	assert_int_equal(load(&to, &s, &err), -EINVAL);
	assert_true(err.text[0]);
	free(s.data);
	display_close(&from);
	display_close(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move_while_drawing),
		cmocka_unit_test(test_impossible_states),
		cmocka_unit_test(test_another_size),
	};

	return unit_run(tests);
}
