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

#define PATIENCE_US 5000000u /* for a device process to answer what it can answer at once */
#define START_US 20000000u   /* a start is over by then, whatever becomes of it */

enum leave_phase { LEAVE_INSIDE, LEAVE_HOLD, LEAVE_STOP };

struct hold {
	struct base_list node; /* in manager_leave.holds, while it is asked for or held */
	struct manager_leave *leave; /* NULL: that is over, its answer came too late */
	struct daemon *d;
	char uuid[TRN_UUID_SIZE]; /* the device may end meanwhile */
	struct daemon_process_request *request; /* under way */
	bool is_pending; /* its answer is to come */
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
	bool is_given_up; /* those that have not answered by now are not waited for */
	struct trn_error err;
	sd_event_source *timer; /* of what is waited for */
};

static void nothing_done(void *data, const struct trn_error *err)
{
}

static void release(struct hold *h)
{
	struct manager_device *dev = daemon_device_find(h->d, h->uuid);

	if (dev && dev->process)
		(void)daemon_process_release(dev->process, nothing_done, NULL);
}

static void finish(struct manager_leave *l)
{
	struct manager_parent *p = l->parent;
	struct daemon *d = p->d;
	struct hold *h, *next;

	base_list_for_each_safe(h, next, &l->holds, node) {
		if (h->is_held && l->err.code)
			release(h);
		base_list_remove(&h->node);
		h->leave = NULL;
		if (!h->is_pending)
			free(h);
	}
	sd_event_source_disable_unref(l->timer);
	p->leave = NULL;
	daemon_parent_note(p);
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

/* ------------------------------------------------------------ time */

static int handle_timer(sd_event_source *source, uint64_t usec, void *data);

static void arm(struct manager_leave *l, uint64_t delay_us)
{
	l->timer = sd_event_source_disable_unref(l->timer);
	(void)sd_event_add_time_relative(l->parent->d->event, &l->timer, CLOCK_MONOTONIC, delay_us, 0, handle_timer, l);
}

/* For what a phase waits, if it is not for users for as long as they like. */
static void arm_phase(struct manager_leave *l, uint64_t patience_us)
{
	l->timer = sd_event_source_disable_unref(l->timer);
	if (l->how.policy != TRNC_CONTROL_ASK)
		arm(l, patience_us);
	else if (l->how.timeout_ms >= 0)
		arm(l, (uint64_t)l->how.timeout_ms * 1000 + (l->phase == LEAVE_HOLD ? patience_us : 1));
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
	arm(l, PATIENCE_US);
}

static void held(void *data, const struct trn_error *err)
{
	struct hold *h = data;
	struct manager_leave *l = h->leave;

	if (!l) {
		if (!err)
			release(h);
		free(h);
		return;
	}
	h->request = NULL;
	h->is_pending = false;
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
	h->d = l->parent->d;
	h->is_pending = true;
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
	arm_phase(l, PATIENCE_US);
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
	l->timer = sd_event_source_disable_unref(l->timer);
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
	if (l->phase == LEAVE_STOP ? !daemon_parent_nr_devices(p) : l->err.code && (!l->nr_pending || l->is_given_up))
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

static bool is_pending(const struct manager_leave *l, const char *uuid)
{
	const struct hold *h;

	base_list_for_each(h, &l->holds, node)
		if (h->is_pending && !strcmp(h->uuid, uuid))
			return true;
	return false;
}

/* Those that do not answer who forces them. */
static void kill_silent(struct manager_leave *l)
{
	struct manager_device *dev;

	base_list_for_each(dev, &l->parent->d->devices, node) {
		bool is_silent = l->phase == LEAVE_HOLD ? is_pending(l, dev->spec.uuid) : dev->stop && dev->state != MANAGER_GONE;

		if (dev->parent != l->parent || !dev->process || !is_silent)
			continue;
		log_warning("device %s does not answer: its process is killed", dev->spec.uuid);
		daemon_process_kill(dev->process);
	}
}

static void refuse_late(struct manager_leave *l)
{
	struct trn_error err = { 0 };
	const struct hold *h;

	base_list_for_each(h, &l->holds, node)
		if (h->is_pending)
			trn_error_set(&err, -ETIMEDOUT, "Unresponsive", "device %s of parent %s does not answer", h->uuid, l->parent->name);
	if (err.code) {
		trn_error_hint(&err, "end its process, or force it (policy force)");
	} else {
		trn_error_set(&err, -ETIMEDOUT, "InUse", "parent %s still creates or removes a device", l->parent->name);
		trn_error_hint(&err, "try again later, or wait longer");
	}
	fail(l, &err);
}

static int handle_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager_leave *l = data;

	if (l->how.policy == TRNC_CONTROL_FORCE && !l->err.code) {
		kill_silent(l); /* they end, and that is heard of */
		arm(l, PATIENCE_US);
		return 0;
	}
	refuse_late(l); /* unless it has failed already */
	l->is_given_up = true;
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
	daemon_parent_note(p);
	arm_phase(l, how->policy == TRNC_CONTROL_FORCE ? PATIENCE_US : START_US);
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
