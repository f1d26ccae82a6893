/* SPDX-License-Identifier: MIT */
/* A device that is moved by asking its parent: round trips, and what happens when the parent refuses. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "parents/variants/asked.h"
#include "tranche/pci.h"

#define MAX_STREAM 65536

/* A card before the card, which refuses a command with an errno. */
struct moody {
	struct asked_card face; /* first */
	struct asked_card *card;
	enum asked_command refused;
	int with; /* 0: nothing is refused */
	unsigned int nr_asked[ASKED_LOAD + 1];
};

static int moody_command(struct asked_card *face, struct asked_request *req, struct trn_error *err)
{
	struct moody *m = (struct moody *)face;

	m->nr_asked[req->command]++;
	if (m->with && req->command == m->refused)
		return trn_error_set(err, m->with, "Moody", "the card refuses command %d", (int)req->command);
	return m->card->command(m->card, req, err);
}

struct side {
	struct moody moody;
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_use *use;
};

static int side_create(struct side *s, struct trn_error *err)
{
	static const struct trn_create_params params = { .uuid = "11111111-2222-3333-4444-555555555555" };

	return trn_device_create(trn_type_find(s->parent, "asked-unit"), &params, &s->dev, err);
}

static void side_register(struct side *s)
{
	*s = (struct side){ .moody = { .face = { .command = moody_command, .nr_units = 8 }, .card = asked_card_new() } };
	s->core = trn_core_create();
	assert_int_equal(asked_parent_register(s->core, "card", &s->moody.face, &s->parent, NULL), 0);
}

static void side_open(struct side *s)
{
	const uint16_t command = TRN_PCI_COMMAND_MEMORY;

	side_register(s);
	assert_int_equal(side_create(s, NULL), 0);
	assert_int_equal(trn_device_open(s->dev, "test", NULL, &s->use, NULL), 0);
	assert_int_equal(trn_use_region_write(s->use, TRN_PCI_REGION_CONFIG, 4, &command, 2), 0);
}

static void side_close(struct side *s)
{
	trn_use_close(s->use);
	trn_device_unref(s->dev);
	assert_int_equal(trn_parent_unregister(s->parent, NULL, NULL), 0);
	assert_int_equal(s->moody.nr_asked[ASKED_ATTACH] - s->moody.nr_asked[ASKED_DETACH], 0);
	trn_parent_unref(s->parent);
	trn_core_destroy(s->core);
	asked_card_free(s->moody.card);
}

static void refuse(struct side *s, enum asked_command command, int with)
{
	s->moody.refused = command;
	s->moody.with = with;
}

static uint32_t read_reg(struct side *s, uint64_t offset)
{
	uint32_t value = 0xeeeeeeee;

	assert_int_equal(trn_use_region_read(s->use, 0, offset, &value, sizeof(value)), 0);
	return value;
}

static int write_reg(struct side *s, uint64_t offset, uint32_t value)
{
	return trn_use_region_write(s->use, 0, offset, &value, sizeof(value));
}

static enum trn_mig_state state_of(struct side *s)
{
	enum trn_mig_state state;

	assert_int_equal(trn_use_mig_get_state(s->use, &state), 0);
	return state;
}

static int save(struct side *s, uint8_t buf[MAX_STREAM], size_t *len, struct trn_error *err)
{
	ssize_t n;
	int r = trn_use_mig_set_state(s->use, TRN_MIG_STOP_COPY, err);

	*len = 0;
	while (r == 0 && (n = trn_use_mig_read(s->use, buf + *len, MAX_STREAM - *len)) != 0) {
		if (n < 0)
			r = (int)n;
		else
			*len += (size_t)n;
	}
	return r;
}

static int load(struct side *s, const uint8_t *buf, size_t len, struct trn_error *err)
{
	int r = trn_use_mig_set_state(s->use, TRN_MIG_RESUMING, err);

	if (r == 0)
		r = trn_use_mig_write(s->use, buf, len, err);
	return r < 0 ? r : trn_use_mig_set_state(s->use, TRN_MIG_RUNNING, err);
}

static void test_registers_are_the_cards(void **state)
{
	struct asked_request req = { .command = ASKED_READ, .offset = 16 };
	uint32_t value;
	struct side s;

	side_open(&s);
	assert_int_equal(write_reg(&s, 16, 0x12345678), 0);
	req.buf = &value;
	req.len = sizeof(value);
	assert_int_equal(s.moody.card->command(s.moody.card, &req, NULL), 0);
	assert_int_equal(value, 0x12345678);
	assert_int_equal(trn_use_reset(s.use), 0);
	assert_int_equal(s.moody.nr_asked[ASKED_RESET], 1);
	refuse(&s, ASKED_RESET, -EIO);
	assert_int_equal(trn_use_reset(s.use), -EIO);
	side_close(&s);
}

static void test_round_trip(void **state)
{
	static uint8_t buf[MAX_STREAM];
	struct trn_error err = { 0 };
	struct side from, to;
	size_t len;

	side_open(&from);
	side_open(&to);
	assert_int_equal(trn_use_mig_flags(from.use), TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P);
	for (uint32_t i = 0; i < 256; i += 4)
		assert_int_equal(write_reg(&from, i, i * 2654435761u), 0);
	assert_int_equal(save(&from, buf, &len, &err), 0);
	assert_int_equal(from.moody.nr_asked[ASKED_SUSPEND], 1);
	assert_true(from.moody.nr_asked[ASKED_QUERY_SIZE] && from.moody.nr_asked[ASKED_SAVE]);
	assert_int_equal(load(&to, buf, len, &err), 0);
	for (uint32_t i = 0; i < 256; i += 4)
		assert_int_equal(read_reg(&to, i), i * 2654435761u);
	/* both go on */
	assert_int_equal(trn_use_mig_set_state(from.use, TRN_MIG_RUNNING, &err), 0);
	assert_int_equal(write_reg(&from, 0, 1), 0);
	assert_int_equal(write_reg(&to, 0, 2), 0);
	assert_int_equal(from.moody.nr_asked[ASKED_RESUME], 1);
	assert_int_equal(to.moody.nr_asked[ASKED_RESUME], 1);
	side_close(&from);
	side_close(&to);
}

static void test_refused_suspend(void **state)
{
	struct trn_error err = { 0 };
	struct side s;

	side_open(&s);
	refuse(&s, ASKED_SUSPEND, -EBUSY);
	assert_int_equal(trn_use_mig_set_state(s.use, TRN_MIG_STOP_COPY, &err), -EBUSY);
	assert_string_equal(err.name, "Moody");
	assert_int_equal(state_of(&s), TRN_MIG_RUNNING);
	assert_int_equal(write_reg(&s, 0, 7), 0);
	refuse(&s, ASKED_SUSPEND, 0);
	assert_int_equal(trn_use_mig_set_state(s.use, TRN_MIG_STOP, NULL), 0);
	side_close(&s);
}

static void test_refused_resume(void **state)
{
	struct trn_error err = { 0 };
	struct side s;

	side_open(&s);
	assert_int_equal(trn_use_mig_set_state(s.use, TRN_MIG_STOP, NULL), 0);
	assert_int_equal(write_reg(&s, 0, 7), -EBUSY);
	refuse(&s, ASKED_RESUME, -EIO);
	assert_int_equal(trn_use_mig_set_state(s.use, TRN_MIG_RUNNING, &err), -EIO);
	assert_string_equal(err.name, "Moody");
	refuse(&s, ASKED_RESUME, 0);
	assert_int_equal(trn_use_mig_set_state(s.use, TRN_MIG_RUNNING, NULL), 0);
	assert_int_equal(write_reg(&s, 0, 7), 0);
	side_close(&s);
}

static void check_refused_save(enum asked_command command)
{
	static uint8_t buf[MAX_STREAM];
	const uint16_t memory = TRN_PCI_COMMAND_MEMORY;
	struct side s;
	size_t len;

	side_open(&s);
	refuse(&s, command, -EIO);
	assert_int_equal(save(&s, buf, &len, NULL), -EIO);
	refuse(&s, command, 0);
	/* whatever state that left, a reset leads out */
	assert_int_equal(trn_use_reset(s.use), 0);
	assert_int_equal(state_of(&s), TRN_MIG_RUNNING);
	assert_int_equal(trn_use_region_write(s.use, TRN_PCI_REGION_CONFIG, 4, &memory, 2), 0);
	assert_int_equal(write_reg(&s, 0, 7), 0);
	assert_int_equal(save(&s, buf, &len, NULL), 0);
	side_close(&s);
}

static void test_refused_save(void **state)
{
	check_refused_save(ASKED_QUERY_SIZE);
	check_refused_save(ASKED_SAVE);
}

static void test_refused_load(void **state)
{
	static uint8_t buf[MAX_STREAM];
	const uint16_t memory = TRN_PCI_COMMAND_MEMORY;
	struct trn_error err = { 0 };
	struct side from, to;
	size_t len;

	side_open(&from);
	side_open(&to);
	assert_int_equal(write_reg(&from, 0, 5), 0);
	assert_int_equal(save(&from, buf, &len, NULL), 0);
	refuse(&to, ASKED_LOAD, -EINVAL);
	assert_int_equal(load(&to, buf, len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "the card refuses"));
	refuse(&to, ASKED_LOAD, 0);
	assert_int_equal(trn_use_reset(to.use), 0);
	assert_int_equal(trn_use_region_write(to.use, TRN_PCI_REGION_CONFIG, 4, &memory, 2), 0);
	assert_int_equal(read_reg(&to, 0), 0);
	assert_int_equal(load(&to, buf, len, &err), 0);
	assert_int_equal(read_reg(&to, 0), 5);
	side_close(&from);
	side_close(&to);
}

static void test_refused_attach(void **state)
{
	struct trn_error err = { 0 };
	struct side s;

	side_register(&s);
	refuse(&s, ASKED_ATTACH, -EIO);
	assert_int_equal(side_create(&s, &err), -EIO);
	assert_non_null(strstr(err.text, "the card refuses"));
	s.moody.nr_asked[ASKED_ATTACH] = 0;
	refuse(&s, ASKED_ATTACH, 0);
	assert_int_equal(side_create(&s, NULL), 0);
	assert_int_equal(trn_device_open(s.dev, NULL, NULL, &s.use, NULL), 0);
	side_close(&s);
}

static void test_card_refuses(void **state)
{
	struct asked_card *card = asked_card_new();
	struct asked_request req = { .command = ASKED_READ };
	uint8_t buf[8] = { 0 };
	struct trn_error err = { 0 };

	assert_int_equal(card->command(card, &req, NULL), -ENODEV); /* not attached */
	req.unit = UINT32_MAX;
	assert_int_equal(card->command(card, &req, NULL), -ENODEV);
	for (unsigned int i = 0; i < card->nr_units; i++)
		assert_int_equal(card->command(card, &(struct asked_request){ .command = ASKED_ATTACH }, NULL), 0);
	assert_int_equal(card->command(card, &(struct asked_request){ .command = ASKED_ATTACH }, NULL), -EUSERS);
	req = (struct asked_request){ .command = ASKED_SAVE, .buf = buf, .len = sizeof(buf) };
	assert_int_equal(card->command(card, &req, &err), -EBUSY); /* runs */
	assert_int_equal(card->command(card, &(struct asked_request){ .command = ASKED_SUSPEND }, NULL), 0);
	assert_int_equal(card->command(card, &req, NULL), -ENOSPC);
	req.command = ASKED_LOAD;
	assert_int_equal(card->command(card, &req, NULL), -EINVAL);
	req = (struct asked_request){ .command = ASKED_READ, .buf = buf, .offset = 250, .len = 8 };
	assert_int_equal(card->command(card, &req, NULL), -EINVAL);
	req.offset = UINT64_MAX;
	assert_int_equal(card->command(card, &req, NULL), -EINVAL);
	req.command = (enum asked_command)99;
	assert_int_equal(card->command(card, &req, NULL), -EINVAL);
	asked_card_free(card);
	asked_card_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_are_the_cards),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused_suspend),
		cmocka_unit_test(test_refused_resume),
		cmocka_unit_test(test_refused_save),
		cmocka_unit_test(test_refused_load),
		cmocka_unit_test(test_refused_attach),
		cmocka_unit_test(test_card_refuses),
	};

	return unit_run(tests);
}
