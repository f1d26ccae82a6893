/* SPDX-License-Identifier: MIT */
/* A driver whose every step a test can hold, refuse and count; and a listener that writes down events. */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tranche/mdev.h"
#include "unit.h"

/* Holds threads that come by while it is closed. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;
	unsigned int waiting;
};

void gate_close(struct gate *g);
void gate_open(struct gate *g);
void gate_wait_for_one(struct gate *g); /* until a thread is held */

#define FAKE_GIB (1ull << 30)

/*
 * A parent with 1 GiB of memory, 16 sessions and 8 units.  Types:
 *   fake-small 1 unit; fake-big 4 units; fake-mem 256 MiB and 2 sessions, both adjustable
 */
struct fake {
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_type *small, *big, *mem;

	_Atomic int init_result, open_result;
	struct gate init_gate, release_gate;
	struct trn_use *_Atomic leaving_use; /* closed when asked for the leave_at-th time */
	_Atomic unsigned int leave_at;

	_Atomic unsigned int nr_inits, nr_releases; /* inits that succeeded */
	_Atomic unsigned int nr_opens, nr_closes;
	_Atomic unsigned int nr_requests, nr_parent_releases;
};

extern const struct trn_device_ops fake_ops;
extern const struct trn_type_desc fake_types[3];
extern const struct trn_resources fake_capacity;

void fake_init(struct fake *f, struct trn_core *core, const char *name);
/* With another table: a copy of fake_ops with more calls in it. */
void fake_init_with(struct fake *f, struct trn_core *core, const char *name, const struct trn_device_ops *ops);
/* Unregisters, drops the reference, and checks that all that was made was unmade once. */
void fake_finish(struct fake *f);

/* The n-th UUID; one buffer a thread. */
const char *fake_uuid(unsigned int n);
/* Create device n; assert that it works; the reference is the caller's. */
struct trn_device *fake_device(struct trn_type *type, unsigned int n);
int fake_create(struct trn_type *type, unsigned int n, struct trn_device **ret, struct trn_error *err);
struct trn_use *fake_open(struct trn_device *dev, const char *holder);

struct journal {
	pthread_mutex_t lock;
	unsigned int nr;
	struct {
		enum trn_event_kind kind;
		char name[64]; /* UUID or name of the parent */
	} events[256];
};

void journal_listen(const struct trn_event *event, void *journal); /* a trn_listener_fn */
unsigned int journal_count(struct journal *j, enum trn_event_kind kind, const char *name);

#endif
