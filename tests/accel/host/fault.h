/* SPDX-License-Identifier: MIT */
/*
 * What a hostile host does.  Rules change single registers and replies as they go out; chaos is threads that write where the
 * driver reads, all the time.  Both are set by commands (README.md), and both are repeated by the same seed as far as the
 * order of threads allows.
 */
#ifndef FAKE_FAULT_H
#define FAKE_FAULT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tranche/wire/compute_pci.h"

#define FAULT_RULES 32u
#define FAULT_CHAOS 16u

struct fake;

enum fault_how { FAULT_SET, FAULT_ADD, FAULT_RANDOM };

struct fault_value {
	enum fault_how how;
	uint64_t value;
};

enum fault_field {
	FAULT_REGISTER,
	FAULT_SESSION,
	FAULT_RESERVED,
	FAULT_TYPE,
	FAULT_LEN,
	FAULT_ID,
	FAULT_STATUS,
	FAULT_FLAGS,
	FAULT_BODY,	/* 8 bytes of it, at rule.at */
	FAULT_FILL,	/* all of it, by a byte */
	FAULT_PRODUCER, /* what the producer says afterwards */
	FAULT_DROP,
	FAULT_TWICE,
	FAULT_KEEP, /* until the next reply is sent, which overtakes it */
	FAULT_NR_FIELDS,
};

struct fault_rule {
	bool is_used;
	enum fault_field field;
	struct fault_value value;
	uint32_t at;	/* register; offset in the body */
	uint32_t type;	/* of the request; 0: all */
	uint32_t skip;	/* so many times nothing is changed ... */
	uint32_t times; /* ... then so many times it is */
};

struct fault_chaos {
	struct fake *fake;
	pthread_t thread;
	uint64_t rng;
	bool is_used;
	void (*step)(struct fake *f, uint64_t *rng);
};

struct fault {
	pthread_mutex_t lock; /* of the rules */
	struct fault_rule rules[FAULT_RULES];
	uint64_t rng;	   /* with the lock held */
	uint32_t percent;  /* of all replies get a fault of some kind */
	_Atomic bool ones; /* all registers read as ones */
	struct trnc_control_slot kept;
	bool has_kept;
	struct fault_chaos chaos[FAULT_CHAOS];
	_Atomic uint32_t nr_chaos, pause_us;
	_Atomic bool stop;
};

void fault_init(struct fake *f);
/* Ends chaos and forgets all rules. */
void fault_heal(struct fake *f);
/* A line of commands about faults. Return: 1: done; 0: another kind of command; -1: it makes no sense. */
int fault_obey(struct fake *f, char *line);

uint64_t fault_random(uint64_t *rng);
/* Numbers at which mistakes happen. */
uint64_t fault_odd_number(uint64_t *rng);

/* The value that a register shows. */
uint32_t fault_register(struct fake *f, uint32_t at, uint32_t value);
/* A reply on its way out. Return: how often it is sent. *producer: added to the position that is published. */
unsigned int fault_reply(struct fake *f, struct trnc_control_slot *slot, struct fault_value *producer);

/* chaos.c. Return: false: no such kind, or too many. */
bool fault_chaos_start(struct fake *f, const char *kind, uint64_t seed);
void fault_chaos_stop(struct fake *f);
/* control.c: puts a message of any form on the ring (chaos, "slot"); waits for no room. */
void fake_put_raw(struct fake *f, const struct trnc_control_slot *slot);

#endif
