/* SPDX-License-Identifier: MIT */
/* A card of eight units, with a control function as asked.h wants it. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "parents/variants/asked.h"

#define NR_UNITS 8u
#define MAGIC "unit"

struct unit {
	bool is_attached, is_suspended;
	uint8_t regs[ASKED_UNIT_BYTES];
};

/* What SAVE gives. */
struct saved {
	char magic[4];
	uint8_t regs[ASKED_UNIT_BYTES];
};

struct card {
	struct asked_card face; /* first: a struct asked_card is the card */
	pthread_mutex_t lock; /* protects units */
	struct unit units[NR_UNITS];
};

static int attach(struct card *card, struct asked_request *req, struct trn_error *err)
{
	for (unsigned int i = 0; i < NR_UNITS; i++)
		if (!card->units[i].is_attached) {
			card->units[i] = (struct unit){ .is_attached = true };
			req->unit = i;
			return 0;
		}
	return trn_error_set(err, -EUSERS, "NoUnit", "all %u units of the card are attached", NR_UNITS);
}

static int access_regs(struct unit *unit, const struct asked_request *req)
{
	if (!base_range_is_within(req->offset, req->len, ASKED_UNIT_BYTES))
		return -EINVAL;
	if (req->command == ASKED_READ)
		memcpy(req->buf, unit->regs + req->offset, req->len);
	else if (unit->is_suspended)
		return -EBUSY;
	else
		memcpy(unit->regs + req->offset, req->buf, req->len);
	return 0;
}

static int save(const struct unit *unit, struct asked_request *req, struct trn_error *err)
{
	struct saved saved = { .magic = MAGIC };

	if (req->len < sizeof(saved))
		return trn_error_set(err, -ENOSPC, "NoRoom", "a unit's state has %zu bytes, there is room for %zu", sizeof(saved),
				     req->len);
	memcpy(saved.regs, unit->regs, sizeof(saved.regs));
	memcpy(req->buf, &saved, sizeof(saved));
	req->len = sizeof(saved);
	return 0;
}

static int load(struct unit *unit, const struct asked_request *req, struct trn_error *err)
{
	struct saved saved;

	if (req->len != sizeof(saved) || memcmp(req->buf, MAGIC, sizeof(saved.magic)) != 0)
		return trn_error_set(err, -EINVAL, "BadState", "%zu bytes are not the state of a unit", req->len);
	memcpy(&saved, req->buf, sizeof(saved));
	memcpy(unit->regs, saved.regs, sizeof(saved.regs));
	return 0;
}

static int move_state(struct unit *unit, struct asked_request *req, struct trn_error *err)
{
	if (!unit->is_suspended)
		return trn_error_set(err, -EBUSY, "UnitRuns", "unit %u is not suspended", req->unit);
	if (req->command == ASKED_SAVE)
		return save(unit, req, err);
	if (req->command == ASKED_LOAD)
		return load(unit, req, err);
	req->len = sizeof(struct saved);
	return 0;
}

static int command_locked(struct card *card, struct asked_request *req, struct trn_error *err)
{
	struct unit *unit = &card->units[req->unit % NR_UNITS];

	if (req->command == ASKED_ATTACH)
		return attach(card, req, err);
	if (req->unit >= NR_UNITS || !unit->is_attached)
		return trn_error_set(err, -ENODEV, "NoUnit", "unit %u is not attached", req->unit);
	switch (req->command) {
	case ASKED_READ:
	case ASKED_WRITE:
		return access_regs(unit, req);
	case ASKED_SUSPEND:
	case ASKED_RESUME:
		unit->is_suspended = req->command == ASKED_SUSPEND;
		return 0;
	case ASKED_RESET:
		*unit = (struct unit){ .is_attached = true };
		return 0;
	case ASKED_DETACH:
		unit->is_attached = false;
		return 0;
	case ASKED_QUERY_SIZE:
	case ASKED_SAVE:
	case ASKED_LOAD:
		return move_state(unit, req, err);
	case ASKED_ATTACH:
		break;
	}
	return trn_error_set(err, -EINVAL, "BadCommand", "the card knows no command %d", (int)req->command);
}

static int command(struct asked_card *face, struct asked_request *req, struct trn_error *err)
{
	struct card *card = (struct card *)face;
	int r;

	pthread_mutex_lock(&card->lock);
	r = command_locked(card, req, err);
	pthread_mutex_unlock(&card->lock);
	return r;
}

struct asked_card *asked_card_new(void)
{
	struct card *card = calloc(1, sizeof(*card));

	if (!card)
		return NULL;
	card->face = (struct asked_card){ .command = command, .nr_units = NR_UNITS };
	pthread_mutex_init(&card->lock, NULL);
	return &card->face;
}

void asked_card_free(struct asked_card *face)
{
	struct card *card = (struct card *)face;

	if (!card)
		return;
	pthread_mutex_destroy(&card->lock);
	free(card);
}
