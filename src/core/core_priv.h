/* SPDX-License-Identifier: MIT */
/*
 * The core's own view of its objects.
 *
 * Locking: one mutex a core, trn_core.lock.  Fields marked [lock] are read and written under it; those marked
 * [const] are written before anybody else sees the object.  The lock is never held during a call of a driver or
 * a listener.  Functions ending in _locked are called with it held.
 *
 * References: a device pins its parent (and so its type), a parent pins the core, a use and a queued event pin
 * their device or parent.  Nothing points the other way, so there are no cycles.
 */
#ifndef CORE_PRIV_H
#define CORE_PRIV_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "tranche/mdev.h"

struct core_departure;

/* Lies in the object that it tells of, so that telling needs no memory; queued at most once. */
struct core_event {
	struct base_list node; /* [lock] in trn_core.events */
	struct trn_event event;
	uint64_t seq;
};

struct trn_core {
	pthread_mutex_t lock;
	unsigned int refs; /* [lock] the owner's, one a parent, one while events are delivered */
	struct base_list parents; /* [lock] registered ones */
	struct base_list devices; /* [lock] all, from before init until after release */

	struct base_list listeners; /* [lock] */
	struct base_list events; /* [lock] not yet delivered */
	uint64_t event_seq; /* [lock] of the newest event */
	bool delivering; /* [lock] some thread empties the queue */
	pthread_t deliverer; /* [lock] that thread, while delivering */
	struct trn_listener *calling; /* [lock] whose function runs now */
	pthread_cond_t called; /* signalled when calling changes */
};

struct trn_type {
	struct trn_parent *parent; /* [const] no reference: the type lies in the parent */
	const struct trn_device_ops *ops; /* its own, or the parent's */
	char *name;
	char *pretty_name;
	char *description;
	struct trn_resources cost;
	uint32_t adjustable;
};

struct trn_parent {
	struct trn_core *core; /* [const] a reference, dropped in parent_free() */
	struct base_list node; /* [lock] in trn_core.parents */
	unsigned int refs; /* [lock] */
	bool registered; /* [lock] holds one reference */
	bool leaving; /* [lock] an unregister is under way: create and remove are refused */
	unsigned int nr_inside; /* [lock] creates and removes that unregister must wait for */
	struct core_departure *departure; /* [lock] woken when nr_inside falls to 0 */
	struct base_list devices; /* [lock] as trn_core.devices */
	struct trn_resources used; /* [lock] never more than capacity */

	char *name; /* [const] from here on */
	const struct trn_device_ops *ops; /* of types without one of their own */
	struct trn_resources capacity;
	struct trn_type *types;
	size_t nr_types;
	void *priv;
	void (*release)(void *priv);

	struct core_event registered_event;
	struct core_event unregistered_event;
};

enum core_device_state {
	CORE_DEVICE_CREATING, /* known by its UUID only */
	CORE_DEVICE_ACTIVE,
	CORE_DEVICE_LEAVING, /* a remove waits for its users; may become active again */
	CORE_DEVICE_GONE, /* waits for its last reference */
};

struct trn_device {
	struct trn_type *type; /* [const] with a reference to its parent, dropped in device_free() */
	struct base_list node; /* [lock] in trn_core.devices */
	struct base_list sibling; /* [lock] in trn_parent.devices */
	enum core_device_state state; /* [lock] */
	unsigned int refs; /* [lock] one of them is the core's until the device is gone */
	unsigned int nr_uses; /* [lock] those whose open or close runs are counted */
	struct base_list uses; /* [lock] */
	struct core_departure *departure; /* [lock] who waits for nr_uses to fall to 0 */
	bool held; /* [lock] nobody new comes in; beside the state, which a remove may change meanwhile */
	int uses_fd; /* [lock] the watcher's eventfd; -1: nobody watches */
	unsigned int ask_round; /* [lock] last round of departure that has asked */
	bool initialised; /* written by create before the device is active or gone */

	struct trn_resources resources; /* [lock] what it has taken of its parent */

	char uuid[TRN_UUID_SIZE]; /* [const] from here on */
	void *priv; /* the driver's; written in its init */
	const char *owner;
	const char *vm;

	struct core_event added_event;
	struct core_event removed_event;
	char strings[]; /* owner and vm */
};

struct trn_use {
	struct trn_device *dev; /* a reference, dropped in trn_use_close() */
	struct base_list node; /* [dev's core lock] in trn_device.uses */
	void *priv;
	const struct trn_dma_ops *dma_ops; /* the holder's; NULL: none */
	char holder[];
};

/* use.c */
static inline const struct trn_device_ops *core_use_ops(const struct trn_use *use)
{
	return use->dev->type->ops;
}

/* core.c */
void core_ref_locked(struct trn_core *core);
void core_unref(struct trn_core *core);

/* event.c: queue takes a reference for the event; deliver runs listeners and drops it, without the lock */
void core_event_queue_locked(struct trn_core *core, struct core_event *ev, enum trn_event_kind kind,
			     struct trn_parent *parent, struct trn_device *dev);
void core_event_deliver(struct trn_core *core);

/* refuse.c: fills err, if it is given and empty, with sentence and hint; returns code */
int core_refuse(struct trn_error *err, int code, const char *name, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* check.c */
int core_check_parent(const struct trn_parent_desc *desc, struct trn_error *err);
int core_check_text(const char *what, const char *text, struct trn_error *err);

/* resources.c */
void core_resources_add(struct trn_resources *to, const struct trn_resources *amount);
void core_resources_sub(struct trn_resources *from, const struct trn_resources *amount);
int core_resources_check_left(const struct trn_parent *parent, const struct trn_resources *want,
			      struct trn_error *err);

/* hold.c */
void core_uses_changed_locked(const struct trn_device *dev);

/* departure.c */
/* "device X is HOW by HOLDER": one that has a use */
int core_refuse_busy_locked(const struct trn_device *dev, int code, const char *how, struct trn_error *err);
void core_departure_wake(struct core_departure *d); /* NULL is accepted */
void core_parent_exit_locked(struct trn_parent *parent); /* ends what nr_inside counted */

/* device.c */
struct trn_device *core_device_by_uuid_locked(struct trn_core *core, const char *uuid);

#endif
