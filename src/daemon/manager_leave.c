/* SPDX-License-Identifier: MIT */
/*
 * A parent leaves, with all its devices or not at all:
 *
 *   inside  creates and removes are refused from now on (ENODEV); those that are under way are waited for.  A remove that waits
 *           for users is ended with ENODEV: the leave waits for them itself
 *   hold    every device is held: nobody uses it and nobody can begin to.  One that refuses lets all others go again
 *   stop    all are stopped; the last one takes the parent along
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

enum leave_phase { LEAVE_INSIDE, LEAVE_HOLD, LEAVE_STOP };

struct hold {
	struct base_list node; /* in manager_leave.holds, while it is asked for or held */
	struct manager_leave *leave;
	char uuid[TRN_UUID_SIZE]; /* the device may end meanwhile */
	struct daemon_process_request *request; /* under way */
	bool is_held;
};

struct manager_leave {
	struct manager_parent *parent;
	struct base_list waiters;
	struct trnc_control_leave how;
	enum leave_phase phase;
	struct base_list holds;
	unsigned int nr_pending;
	bool is_stepping;
	struct trn_error err;
	sd_event_source *timer; /* of the first phase */
};

static void nothing_done(void *data, const struct trn_error *err)
{
}

static void finish(struct manager_leave *l)
{
	struct manager_parent *p = l->parent;
	struct daemon *d = p->d;
	struct hold *h, *next;

	base_list_for_each_safe(h, next, &l->holds, node) {
		struct manager_device *dev = daemon_device_find(d, h->uuid);

		if (h->is_held && l->err.code && dev && dev->process)
			(void)daemon_process_release(dev->process, nothing_done, NULL);
		base_list_remove(&h->node);
		free(h);
	}
	sd_event_source_disable_unref(l->timer);
	p->leave = NULL;
	if (l->err.code) {
		struct manager_device *dev;

		/* Who ended meanwhile takes its devices along now. */
		base_list_for_each(dev, &d->devices, node)
			if (dev->parent == p && dev->is_peer_gone && dev->state == MANAGER_RUNNING && !dev->stop)
				daemon_device_stop(dev, &(struct trnc_control_leave){ .policy = TRNC_CONTROL_FORCE }, NULL);
	} else {
		daemon_parent_drop(p, true);
	}
	daemon_waiters_answer(&l->waiters, NULL, l->err.code ? &l->err : NULL);
	free(l);
}

/* ------------------------------------------------------------ hold */

static void cancel_holds(struct manager_leave *l)
{
	struct hold *h;

	base_list_for_each(h, &l->holds, node) {
		if (!h->request)
			continue;
		daemon_process_cancel(h->request);
		h->request = NULL;
	}
}

static void fail(struct manager_leave *l, const struct trn_error *err)
{
	if (l->err.code)
		return;
	l->err = *err;
	cancel_holds(l);
}

static void held(void *data, const struct trn_error *err)
{
	struct hold *h = data;
	struct manager_leave *l = h->leave;

	h->request = NULL;
	h->is_held = !err;
	/* One that has ended uses nothing. */
	if (err && err->code != -ENODEV)
		fail(l, err);
	l->nr_pending--;
	daemon_leave_step(l->parent);
}

static int hold(struct manager_leave *l, struct manager_device *dev, struct trn_error *err)
{
	struct hold *h;
	int r;

	if (dev->state == MANAGER_UNRESPONSIVE && l->how.policy != TRNC_CONTROL_FORCE) {
		trn_error_set(err, -EBUSY, "Unresponsive", "device %s does not answer", dev->spec.uuid);
		return trn_error_hint(err, "force it");
	}
	if (dev->state != MANAGER_RUNNING)
		return 0;
	h = calloc(1, sizeof(*h));
	if (!h)
		return daemon_no_memory(err);
	h->leave = l;
	memcpy(h->uuid, dev->spec.uuid, sizeof(h->uuid));
	base_list_append(&l->holds, &h->node);
	l->nr_pending++;
	r = daemon_process_hold(dev->process, &l->how, held, h, &h->request);
	if (r >= 0)
		return 0;
	l->nr_pending--;
	base_list_remove(&h->node);
	free(h);
	trn_error_set(err, r, "Failed", "device %s cannot be asked: %s", dev->spec.uuid, strerror(-r));
	return trn_error_hint(err, "try again, or force it");
}

static void begin_holds(struct manager_leave *l)
{
	struct manager_device *dev;
	struct trn_error err = { 0 };

	l->phase = LEAVE_HOLD;
	l->timer = sd_event_source_disable_unref(l->timer);
	base_list_for_each(dev, &l->parent->d->devices, node)
		if (dev->parent == l->parent && hold(l, dev, &err) < 0) {
			fail(l, &err);
			return;
		}
}

/* ------------------------------------------------------------ stop */

static void begin_stops(struct manager_leave *l)
{
	const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };
	struct manager_device *dev, *next;

	l->phase = LEAVE_STOP;
	base_list_for_each_safe(dev, next, &l->parent->d->devices, node)
		if (dev->parent == l->parent && dev->state != MANAGER_GONE && !dev->stop)
			daemon_device_stop(dev, &force, NULL);
}

static bool is_inside_over(struct manager_leave *l)
{
	struct manager_device *dev;

	if (l->parent->nr_inside)
		return false;
	base_list_for_each(dev, &l->parent->d->devices, node)
		if (dev->parent == l->parent && dev->change)
			return false;
	return true;
}

void daemon_leave_step(struct manager_parent *p)
{
	struct manager_leave *l = p->leave;

	if (!l || l->is_stepping)
		return;
	l->is_stepping = true;
	if (l->phase == LEAVE_INSIDE && !l->err.code && is_inside_over(l))
		begin_holds(l);
	if (l->phase == LEAVE_HOLD && !l->nr_pending && !l->err.code)
		begin_stops(l);
	l->is_stepping = false;
	if (l->phase == LEAVE_STOP ? !daemon_parent_nr_devices(p) : l->err.code && !l->nr_pending)
		finish(l);
}

/* ------------------------------------------------------------ requests */

static void waiter_gone(struct manager_waiter *w)
{
	struct manager_leave *l = w->data;
	struct trn_error err = { 0 };

	if (!base_list_is_empty(&l->waiters) || l->phase == LEAVE_STOP || l->how.policy != TRNC_CONTROL_ASK)
		return;
	trn_error_set(&err, -ECANCELED, "Cancelled", "waiting for the devices of parent %s was given up", l->parent->name);
	trn_error_hint(&err, "all is as before, try again when there is time to wait");
	fail(l, &err);
	daemon_leave_step(l->parent);
}

static int inside_too_long(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager_leave *l = data;
	struct trn_error err = { 0 };

	trn_error_set(&err, -ETIMEDOUT, "InUse", "parent %s still creates or removes a device", l->parent->name);
	trn_error_hint(&err, "try again later, or wait longer");
	fail(l, &err);
	daemon_leave_step(l->parent);
	return 0;
}

static void overtake_removes(struct manager_parent *p)
{
	struct manager_device *dev, *next;

	base_list_for_each_safe(dev, next, &p->d->devices, node)
		if (dev->parent == p && dev->stop)
			daemon_stop_overtake(dev);
}

static int begin(struct manager_parent *p, struct daemon_call *call, const struct trnc_control_leave *how, struct trn_error *err)
{
	struct manager_leave *l = calloc(1, sizeof(*l));

	if (!l)
		return daemon_no_memory(err);
	l->parent = p;
	l->how = *how;
	base_list_init(&l->waiters);
	base_list_init(&l->holds);
	if (daemon_waiter_add(&l->waiters, call, waiter_gone, l) < 0) {
		free(l);
		return daemon_no_memory(err);
	}
	p->leave = l;
	if (how->policy == TRNC_CONTROL_ASK && how->timeout_ms >= 0)
		(void)sd_event_add_time_relative(p->d->event, &l->timer, CLOCK_MONOTONIC, (uint64_t)how->timeout_ms * 1000 + 1, 0,
						 inside_too_long, l);
	/* Not to be finished below our feet. */
	l->is_stepping = true;
	overtake_removes(p);
	l->is_stepping = false;
	daemon_leave_step(p);
	return 0;
}

/* Known without asking: then nobody's remove need be ended for it. */
static int check_unused(struct manager_parent *p, struct trn_error *err)
{
	struct manager_device *dev;

	base_list_for_each(dev, &p->d->devices, node) {
		if (dev->parent != p || !daemon_device_is_in_use(dev))
			continue;
		trn_error_set(err, -EBUSY, "InUse", "device %s of parent %s is in use", dev->spec.uuid, p->name);
		return trn_error_hint(err, "end what uses it, or ask its users to leave and wait (policy ask)");
	}
	return 0;
}

void daemon_delete_parent(struct daemon *d, struct daemon_call *call, const char *name, json_t *query)
{
	struct trnc_control_leave how;
	struct manager_parent *p = NULL;
	struct trn_error err = { 0 };
	int r = daemon_check_right(call->peer, DAEMON_ADMIN, &err);

	if (r >= 0)
		r = daemon_leave_parse(query, &how, &err);
	if (r >= 0)
		r = daemon_parent_get(d, name, &p, &err);
	if (r >= 0 && !d->is_ready) {
		trn_error_set(&err, -EAGAIN, "NotReady", "tranched has just started and still looks for devices");
		r = trn_error_hint(&err, "try again in a moment");
	}
	if (r >= 0 && p->leave) {
		/* The same outcome for both. */
		if (daemon_waiter_add(&p->leave->waiters, call, waiter_gone, p->leave) < 0)
			r = daemon_no_memory(&err);
	} else if (r >= 0) {
		r = how.policy == TRNC_CONTROL_REFUSE ? check_unused(p, &err) : 0;
		if (r >= 0)
			r = begin(p, call, &how, &err);
	}
	if (r < 0)
		daemon_done(call, NULL, &err);
}
