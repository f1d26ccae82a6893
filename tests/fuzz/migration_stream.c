/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: what a device makes of a saved state.  A device in a state that is known is saved once; the input says
 * how its stream is changed (stream.c), and in which pieces it is loaded.  Afterwards it was refused, and the device saves the
 * same bytes as before; or it was taken, and the device saves what it has taken, takes it again, and can be reset.
 *
 * The input: { u8 device, u8 flags, u8 piece, u8 piece }, then changes.
 */
#include <errno.h>
#include <stdio.h>

#include "movers.h"
#include "stream.h"

enum flags {
	REPAIRS_SUM = 1,
	REPAIRS_LENGTHS = 2,
	TRIES_AGAIN = 4, /* after a refusal, with the stream as it was saved */
	REPAIRS_ALL = 8, /* REPAIRS_SUM too, so that most runs do */
	SAVES_AHEAD = 16, /* what was taken is saved while the device runs, too */
};

struct pieces {
	uint8_t sizes[2]; /* taken in turns; 0: all that is left */
};

static enum trn_mig_state state_of(const struct mover *m)
{
	enum trn_mig_state state;

	must(trn_use_mig_get_state(m->use, &state) == 0);
	return state;
}

/* Return: 0 or why it was refused. The state is STOP or RESUMING then. */
static int load(struct mover *m, const struct stream *s, const struct pieces *pieces)
{
	struct trn_error err = { 0 };
	size_t at = 0;
	int r = 0, end;

	must(trn_use_mig_set_state(m->use, TRN_MIG_RESUMING, NULL) == 0);
	for (unsigned int i = 0; at < s->len && r == 0; i++) {
		size_t n = pieces->sizes[i % 2];

		n = n ? n * n : s->len;
		n = n < s->len - at ? n : s->len - at;
		r = trn_use_mig_write(m->use, s->bytes + at, n, &err);
		at += n;
	}
	must(r == 0 || err.code == r);
	if (r < 0)
		must(trn_use_mig_write(m->use, s->bytes, 1, NULL) < 0);
	end = trn_use_mig_set_state(m->use, TRN_MIG_STOP, NULL);
	must(r == 0 || end < 0);
	must(state_of(m) == (end < 0 ? TRN_MIG_RESUMING : TRN_MIG_STOP));
	return end;
}

static void must_be_same(const struct stream *now, const struct stream *wanted)
{
	size_t at = 0;

	if (now->len == wanted->len && input_is_same(now->bytes, wanted->bytes, now->len))
		return;
	while (at < now->len && at < wanted->len && now->bytes[at] == wanted->bytes[at])
		at++;
	fprintf(stderr, "saved %zu bytes, %zu were wanted; the first that differs is at %zu: %#x, not %#x\n", now->len, wanted->len, at,
		now->bytes[at], wanted->bytes[at]);
	abort();
}

static void check_known(struct mover *m)
{
	static struct stream now;

	mover_save(m, &now);
	must_be_same(&now, &m->known);
}

static void load_known(struct mover *m)
{
	static const struct pieces all;

	must(load(m, &m->known, &all) == 0);
	check_known(m);
}

static void handle_refused(struct mover *m, uint8_t flags)
{
	if (flags & TRIES_AGAIN) {
		load_known(m);
		return;
	}
	/* Who leaves takes nothing with it but what it tried. */
	mover_reopen(m);
	must(state_of(m) == TRN_MIG_RUNNING);
	check_known(m);
}

/* The device may change when it runs; what it was when it stopped must be what comes at the other end. */
static void check_saving_ahead(struct mover *m)
{
	static const struct pieces all;
	static struct stream ahead, stopped, now;

	mover_save_ahead(m, &ahead);
	mover_save(m, &stopped);
	must(load(m, &ahead, &all) == 0);
	mover_save(m, &now);
	must_be_same(&now, &stopped);
}

static void handle_taken(struct mover *m, const struct stream *taken, uint8_t flags)
{
	static const struct pieces all;
	static struct stream first, second;

	mover_save(m, &first);
	stream_settle(&second, taken);
	must_be_same(&first, &second);
	must(load(m, &first, &all) == 0);
	mover_save(m, &second);
	must_be_same(&second, &first);
	if (flags & SAVES_AHEAD)
		check_saving_ahead(m);
	mover_exercise(m);
	load_known(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stream changed;
	struct input in = { data, size };
	struct mover *m = mover_get(input_u8(&in));
	uint8_t flags = input_u8(&in);
	struct pieces pieces = { .sizes = { input_u8(&in), input_u8(&in) } };

	stream_change(&changed, &m->known, &in);
	if (flags & REPAIRS_LENGTHS)
		stream_repair_lengths(&changed);
	if (flags & (REPAIRS_SUM | REPAIRS_ALL))
		stream_repair_sum(&changed);
	if (load(m, &changed, &pieces) < 0)
		handle_refused(m, flags);
	else
		handle_taken(m, &changed, flags);
	return 0;
}
