/* SPDX-License-Identifier: MIT */
/*
 * Stopping a device: it is asked over its control socket (HOLD and STOP of wire/control.h), and is gone for everybody when it says so;
 * UUID and capacity come back, and clients are answered, when its process is gone too.  All who want it stopped meanwhile share
 * the outcome; one who forces it makes all others right.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

/* After that, SIGKILL: for one that does not answer who forces it, or does not end. */
#define PATIENCE_US 5000000u

struct manager_stop {
	struct manager_device *dev;
	struct base_list waiters;
	struct trnc_control_leave how;
	struct daemon_process_request *request; /* under way */
	bool is_ours;	  /* not for a client: nobody can give it up */
	bool is_forced;	  /* somebody forces it, while another one is under way */
	bool is_overtaken;
	bool is_told;
	bool is_late; /* it did not answer in time: those who waited were told so, its answer is still to come */
	struct trn_error refusal; /* while the holders are asked for */
	sd_event_source *timer;
};

static int read_policy(const char *text, struct trnc_control_leave *ret)
{
	static const char *const names[] = { "refuse", "ask", "force" };

	for (uint32_t i = 0; i < 3; i++) {
		if (strcmp(text, names[i]))
			continue;
		ret->policy = i;
		return 0;
	}
	return -EINVAL;
}

static int read_timeout(const char *text, struct trnc_control_leave *ret)
{
	char *end;
	long ms;

	errno = 0;
	ms = strtol(text, &end, 10);
	if (!*text || *end || errno || ms < -1 || ms > INT_MAX)
		return -EINVAL;
	ret->timeout_ms = (int32_t)ms;
	return 0;
}

int daemon_leave_parse(json_t *query, struct trnc_control_leave *ret, struct trn_error *err)
{
	const char *name;
	json_t *value;

	*ret = (struct trnc_control_leave){ .policy = TRNC_CONTROL_REFUSE, .timeout_ms = -1 };
	json_object_foreach(query, name, value) {
		const char *text = json_is_string(value) ? json_string_value(value) : "";

		if (!strcmp(name, "policy")) {
			if (read_policy(text, ret) < 0)
				return daemon_json_refuse(err, name, value, "refuse, ask or force");
		} else if (!strcmp(name, "timeout_ms")) {
			if (read_timeout(text, ret) < 0)
				return daemon_json_refuse(err, name, value, "milliseconds from 0 to 2147483647, or -1 for no limit");
		} else {
			trn_error_set(err, -EINVAL, "UnknownField", "there is no parameter \"%.60s\" here", name);
			return trn_error_hint(err, "there are policy and timeout_ms");
		}
	}
	return 0;
}

/* ------------------------------------------------------------ its end */

static void free_stop(struct manager_stop *s)
{
	sd_event_source_disable_unref(s->timer);
	free(s);
}

/* It goes on as before. */
static void refused(struct manager_stop *s, const struct trn_error *err)
{
	struct manager_device *dev = s->dev;
	struct manager_parent *p = dev->parent;

	dev->stop = NULL;
	if (s->is_told)
		daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
	daemon_waiters_answer(&s->waiters, NULL, err);
	free_stop(s);
	daemon_parent_exit(p);
}

void daemon_stop_ended(struct manager_device *dev)
{
	struct manager_stop *s = dev->stop;
	struct manager_parent *p = dev->parent;
	struct daemon *d = dev->d;
	json_t *what = daemon_device_json_removed(dev, NULL);
	char uuid[TRN_UUID_SIZE];

	log_info("device %s is stopped", dev->spec.uuid);
	memcpy(uuid, dev->spec.uuid, sizeof(uuid));
	daemon_device_free(dev);
	daemon_tell(d, "device-removed", what);
	daemon_definition_note(d, uuid);
	daemon_history_account(p);
	daemon_waiters_answer(&s->waiters, NULL, NULL);
	free_stop(s);
	daemon_parent_exit(p);
}

static int patience_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager_stop *s = data;

	if (s->dev->process) {
		log_warning("device %s does not end: its process is killed", s->dev->spec.uuid);
		daemon_process_kill(s->dev->process);
	}
	return 0;
}

static void begin_patience(struct manager_stop *s)
{
	sd_event_source_disable_unref(s->timer);
	s->timer = NULL;
	if (sd_event_add_time_relative(s->dev->d->event, &s->timer, CLOCK_MONOTONIC, PATIENCE_US, 0, patience_over, s) < 0 &&
	    s->dev->process)
		daemon_process_kill(s->dev->process);
}

/* Its process hangs: nobody waits for it who did not ask to.  What it answers when it goes on is what happens then. */
static int answer_is_late(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager_stop *s = data;
	struct trn_error err = { 0 };

	s->is_late = true;
	trn_error_set(&err, -ETIMEDOUT, "Unresponsive", "device %s does not answer", s->dev->spec.uuid);
	trn_error_hint(&err, "it is stopped when it answers, unless it is in use then; or force it (policy force)");
	daemon_waiters_answer(&s->waiters, NULL, &err);
	return 0;
}

static void limit_answer(struct manager_stop *s, uint64_t delay_us)
{
	s->is_late = false;
	s->timer = sd_event_source_disable_unref(s->timer);
	(void)sd_event_add_time_relative(s->dev->d->event, &s->timer, CLOCK_MONOTONIC, delay_us, 0, answer_is_late, s);
}

/* Whoever refuses, refuses at once; whoever waits for users, knows for how long. */
static void limit_first_answer(struct manager_stop *s)
{
	if (s->how.policy == TRNC_CONTROL_REFUSE)
		limit_answer(s, PATIENCE_US);
	else if (s->how.policy == TRNC_CONTROL_ASK && s->how.timeout_ms >= 0)
		limit_answer(s, PATIENCE_US + (uint64_t)s->how.timeout_ms * 1000);
}

/* ------------------------------------------------------------ asking */

static void ask(struct manager_stop *s);

static void holders_known(void *data, json_t *names, unsigned int total, const struct trn_error *err)
{
	struct manager_stop *s = data;
	struct trn_error refusal = s->refusal;
	const char *first = json_string_value(json_array_get(names, 0));

	if (s->dev->state == MANAGER_GONE)
		return;
	if (s->is_forced) {
		ask(s);
		return;
	}
	if (!err && first && total) {
		refusal = (struct trn_error){ 0 };
		if (total > 1)
			trn_error_set(&refusal, -EBUSY, "InUse", "device %s is in use by %.100s and %u more", s->dev->spec.uuid, first,
				      total - 1);
		else
			trn_error_set(&refusal, -EBUSY, "InUse", "device %s is in use by %.100s", s->dev->spec.uuid, first);
		trn_error_hint(&refusal, "end what uses it, ask its users to leave and wait (policy ask), or force it (policy force)");
	}
	refused(s, &refusal);
}

static void not_stopped(struct manager_stop *s, const struct trn_error *err)
{
	struct trn_error left = { 0 };

	if (s->is_forced && s->how.policy != TRNC_CONTROL_FORCE) {
		s->how = (struct trnc_control_leave){ .policy = TRNC_CONTROL_FORCE };
		ask(s);
		return;
	}
	if (s->is_overtaken) {
		trn_error_set(&left, -ENODEV, "ParentLeaving", "parent %s is leaving and takes device %s along", s->dev->parent->name,
			      s->dev->spec.uuid);
		trn_error_hint(&left, "wait for it");
		refused(s, &left);
		return;
	}
	s->refusal = *err;
	trn_error_hint(&s->refusal, "end what uses it, or force it (policy force)");
	if (err->code == -EBUSY && daemon_process_holders(s->dev->process, holders_known, s) >= 0)
		return;
	refused(s, &s->refusal);
}

static void stopped(void *data, const struct trn_error *err)
{
	struct manager_stop *s = data;

	s->request = NULL;
	/* -ENODEV: it has ended meanwhile. */
	if (err && err->code != -ENODEV) {
		not_stopped(s, err);
		return;
	}
	/* Invisible; process_ended() gives back what it has taken. */
	s->dev->state = MANAGER_GONE;
	begin_patience(s);
}

static void ask(struct manager_stop *s)
{
	struct trn_error err = { 0 };
	int r;

	if (s->is_forced)
		s->how = (struct trnc_control_leave){ .policy = TRNC_CONTROL_FORCE };
	if (s->how.policy == TRNC_CONTROL_FORCE)
		begin_patience(s);
	r = daemon_process_stop(s->dev->process, &s->how, stopped, s, &s->request);
	if (r >= 0)
		return;
	if (s->how.policy == TRNC_CONTROL_FORCE) {
		s->dev->state = MANAGER_GONE;
		daemon_process_kill(s->dev->process);
		return;
	}
	trn_error_set(&err, r, "Failed", "device %s cannot be asked to stop: %s", s->dev->spec.uuid, strerror(-r));
	not_stopped(s, &err);
}

/* ------------------------------------------------------------ requests */

static void give_up(struct manager_stop *s)
{
	struct daemon_process_request *request = s->request;

	s->request = NULL;
	if (request)
		daemon_process_cancel(request);
}

static void waiter_gone(struct manager_waiter *w)
{
	struct manager_stop *s = w->data;

	if (base_list_is_empty(&s->waiters) && !s->is_ours && !s->is_forced && s->how.policy == TRNC_CONTROL_ASK)
		give_up(s);
}

void daemon_stop_overtake(struct manager_device *dev)
{
	struct manager_stop *s = dev->stop;

	if (s->how.policy == TRNC_CONTROL_FORCE || dev->state == MANAGER_GONE)
		return;
	s->is_overtaken = true;
	give_up(s);
}

static int check_responsive(const struct manager_device *dev, const struct trnc_control_leave *how, struct trn_error *err)
{
	if (dev->state != MANAGER_UNRESPONSIVE || how->policy == TRNC_CONTROL_FORCE)
		return 0;
	trn_error_set(err, -EBUSY, "Unresponsive", "device %s does not answer", dev->spec.uuid);
	return trn_error_hint(err, "force it (policy force)");
}

static int join(struct manager_stop *s, const struct trnc_control_leave *how, struct daemon_call *call, struct trn_error *err)
{
	if (call && daemon_waiter_add(&s->waiters, call, waiter_gone, s) < 0)
		return daemon_no_memory(err);
	s->is_ours |= !call;
	if (how->policy == TRNC_CONTROL_FORCE && s->how.policy != TRNC_CONTROL_FORCE && s->dev->state != MANAGER_GONE) {
		s->is_forced = true;
		give_up(s);
		begin_patience(s); /* it may not even answer that it was given up */
	} else if (s->is_late && !s->is_forced) {
		limit_answer(s, PATIENCE_US);
	}
	return 0;
}

static int begin(struct manager_device *dev, const struct trnc_control_leave *how, struct daemon_call *call, struct trn_error *err)
{
	struct manager_stop *s;
	int r = check_responsive(dev, how, err);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return daemon_no_memory(err);
	s->dev = dev;
	s->how = *how;
	s->is_ours = !call;
	base_list_init(&s->waiters);
	if (call && daemon_waiter_add(&s->waiters, call, waiter_gone, s) < 0) {
		free(s);
		return daemon_no_memory(err);
	}
	dev->stop = s;
	dev->parent->nr_inside++;
	s->is_told = how->policy == TRNC_CONTROL_ASK;
	if (s->is_told)
		daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
	limit_first_answer(s);
	ask(s);
	if (dev->stop && how->policy != TRNC_CONTROL_FORCE)
		daemon_device_check_answers(dev);
	return 0;
}

void daemon_device_stop(struct manager_device *dev, const struct trnc_control_leave *how, struct daemon_call *call)
{
	struct trn_error err = { 0 };
	int r = dev->stop ? join(dev->stop, how, call, &err) : begin(dev, how, call, &err);

	if (r < 0)
		daemon_done(call, NULL, &err);
}

/* One that is gone for everybody, and not yet for us: its end is waited for. */
static struct manager_device *going(struct daemon *d, const char *text)
{
	char uuid[TRN_UUID_SIZE];
	struct manager_device *dev = daemon_uuid_parse(text, uuid, NULL) < 0 ? NULL : daemon_device_find(d, uuid);

	return dev && dev->state == MANAGER_GONE && dev->stop ? dev : NULL;
}

void daemon_delete_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *query)
{
	struct trnc_control_leave how;
	struct manager_device *dev = NULL;
	struct trn_error err = { 0 };
	int r = daemon_check_right(call->peer, DAEMON_USE, &err);

	if (r >= 0)
		r = daemon_leave_parse(query, &how, &err);
	if (r >= 0) {
		dev = going(d, uuid);
		r = dev ? 0 : daemon_device_get(d, uuid, &dev, &err);
	}
	if (r >= 0)
		r = daemon_check_owner(call->peer, &dev->spec, "the device", &err);
	if (r >= 0)
		r = daemon_parent_check_stays(dev->parent, &err);
	if (r >= 0)
		daemon_device_stop(dev, &how, call);
	else
		daemon_done(call, NULL, &err);
}
