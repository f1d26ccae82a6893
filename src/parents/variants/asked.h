/* SPDX-License-Identifier: MIT */
/*
 * A device whose registers and state are its parent's: it is a unit of a card, and the card's control function stops, saves and
 * loads it on request, and may refuse.  1af4:10f1, class 0xff0000, BAR0: 256 bytes of registers.  Type: asked-unit.
 */
#ifndef PARENTS_VARIANTS_ASKED_H
#define PARENTS_VARIANTS_ASKED_H

#include <stddef.h>
#include <stdint.h>

#include "tranche/mdev.h"

#define ASKED_UNIT_BYTES 256u
#define ASKED_MAX_STATE 4096u /* of one unit */

/* What a card can be asked for. All but ATTACH name a unit that is attached. */
enum asked_command {
	ASKED_ATTACH,	  /* gives the unit; its registers are 0, it runs */
	ASKED_DETACH,	  /* never refused */
	ASKED_READ,	  /* registers [offset, offset + len) to buf */
	ASKED_WRITE,	  /* the other way; -EBUSY while the unit is suspended */
	ASKED_RESET,	  /* as after ATTACH */
	ASKED_SUSPEND,	  /* its state does not change any more */
	ASKED_RESUME,
	ASKED_QUERY_SIZE, /* len: how many bytes SAVE gives, at most ASKED_MAX_STATE; suspended */
	ASKED_SAVE,	  /* state to buf; len: room, then what it has taken; suspended */
	ASKED_LOAD,	  /* state from buf, all or nothing; suspended */
};

/* Fields that a command does not name are not looked at. */
struct asked_request {
	enum asked_command command;
	unsigned int unit;
	uint64_t offset;
	void *buf;
	size_t len;
};

/*
 * A card. command() is called by any thread and takes care of itself. Return: 0 or a negative errno with a sentence, which the
 * device's holder gets. It must stay valid until the parent is released.
 */
struct asked_card {
	int (*command)(struct asked_card *card, struct asked_request *req, struct trn_error *err);
	unsigned int nr_units;
};

/* Registers a parent of the card's units. The results are those of trn_parent_register(). */
int asked_parent_register(struct trn_core *core, const char *name, struct asked_card *card, struct trn_parent **ret,
			  struct trn_error *err);

/* A card of 8 units in this process. Return: the card, or NULL without memory. Opposite: asked_card_free(). */
struct asked_card *asked_card_new(void);
void asked_card_free(struct asked_card *card);

#endif
