/* SPDX-License-Identifier: MIT */
/* Devices that can be saved, each in a state that is known: the test device, both serial cards, the small display. */
#ifndef FUZZ_MOVERS_H
#define FUZZ_MOVERS_H

#include "stream.h"
#include "tranche/device.h"
#include "tranche/mdev.h"

struct mover {
	struct trn_device *dev;
	struct trn_use *use;
	bool is_display;
	struct stream known;
};

/* Any number chooses one. */
struct mover *mover_get(unsigned int number);
/* The device is in STOP afterwards. */
void mover_save(struct mover *m, struct stream *ret);
/* By way of pre-copy, while memory changes. */
void mover_save_ahead(struct mover *m, struct stream *ret);
/* Another holder comes. */
void mover_reopen(struct mover *m);
/* It answers accesses, is reset, and runs. */
void mover_exercise(struct mover *m);

#endif
