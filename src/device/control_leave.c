/* SPDX-License-Identifier: MIT */
/*
 * HOLD and STOP: nobody new comes in, those who are there are asked, ended or waited for, and when nobody is left the
 * device is held, or gone.  Nothing blocks: the core tells each change of the number of uses.
 */
#include <errno.h>
#include <string.h>

#include "device/control_priv.h"

#define ASK_EVERY_US 1000000u

static struct trn_device *device_of(const struct device_control_server *cs)
{
	return cs->process->dev;
}

/* Nothing is under way any more; the device is as the caller leaves it. */
static void clear(struct device_control_server *cs)
{
	sd_event_source_disable_unref(cs->leave.ask);
	sd_event_source_disable_unref(cs->leave.limit);
	cs->leave = (struct control_leave){ 0 };
}

/* Somebody new may come in, and whoever was asked to leave may stay. */
static void unhold(const struct device_control_server *cs)
{
	const struct device_process *p = cs->process;

	if (p->service->let_stay)
		p->service->let_stay(p);
	trn_device_unhold(p->dev);
}

/* The device is as before: held by somebody's HOLD, or in use. */
static void give_up(struct device_control_server *cs, const struct trn_error *why)
{
	if (cs->leave.conn)
		control_refuse(cs->leave.conn, cs->leave.type, cs->leave.id, why);
	if (!cs->holder)
		unhold(cs);
	clear(cs);
}

static void refuse_busy(struct device_control_server *cs, int code, const char *name, const char *what)
{
	unsigned int nr = 0, total;
	struct trn_error err = { 0 };
	char holder[300];

	total = trn_device_get_holders(device_of(cs), holder, sizeof(holder), &nr);
	trn_error_set(&err, code, name, "device %s %s by %s", trn_device_uuid(device_of(cs)), what, nr ? holder : "nobody any more");
	if (nr && total > 1) {
		err.code = 0;
		trn_error_set(&err, code, name, "device %s %s by %s and %u more", trn_device_uuid(device_of(cs)), what, holder, total - 1);
	}
	trn_error_hint(&err, "end what uses it, wait longer, or use force");
	give_up(cs, &err);
}

/* Gone for everybody: the file of its socket, too. */
static void remove_device(struct device_control_server *cs)
{
	struct trn_error err = { 0 };
	int r = trn_device_remove(device_of(cs), NULL, &err);

	if (r < 0) { /* it is held and nobody uses it: this cannot be */
		give_up(cs, &err);
		return;
	}
	device_process_remove_socket(cs->process);
	device_process_set_why(cs->process, 0, "Stopped", "it was asked to");
	if (cs->leave.conn)
		control_reply(cs->leave.conn, TRNC_CONTROL_STOP | TRNC_MSG_REPLY, cs->leave.id, NULL, 0);
	clear(cs);
	device_process_stop(cs->process);
}

void control_leave_check(struct device_control_server *cs)
{
	struct control_leave *l = &cs->leave;

	if (!l->type || trn_device_nr_uses(device_of(cs)))
		return;
	if (l->type == TRNC_CONTROL_STOP) {
		remove_device(cs);
		return;
	}
	cs->holder = l->conn;
	control_reply(l->conn, l->type | TRNC_MSG_REPLY, l->id, NULL, 0);
	clear(cs);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *data)
{
	refuse_busy(data, -ETIMEDOUT, "InUse", "is still used");
	return 0;
}

static int on_ask(sd_event_source *source, uint64_t usec, void *data);

/* Again after a while, for guests whose driver was not listening. */
static void ask(struct device_control_server *cs)
{
	struct control_leave *l = &cs->leave;

	l->ask = sd_event_source_disable_unref(l->ask);
	if (trn_device_ask_holders(device_of(cs), l->nr_asked++))
		(void)sd_event_add_time_relative(cs->process->event, &l->ask, CLOCK_MONOTONIC, ASK_EVERY_US, 10000, on_ask, cs);
}

static int on_ask(sd_event_source *source, uint64_t usec, void *data)
{
	ask(data);
	return 0;
}

/* The device is held for it from now on. */
static void begin(struct device_control_server *cs, int32_t timeout_ms)
{
	struct control_leave *l = &cs->leave;

	if (l->policy == TRNC_CONTROL_FORCE && trn_device_nr_uses(device_of(cs))) {
		if (l->type == TRNC_CONTROL_STOP)
			device_process_limit_end(cs->process);
		cs->process->service->force(cs->process);
	}
	if (l->policy == TRNC_CONTROL_ASK && trn_device_nr_uses(device_of(cs)))
		ask(cs);
	control_leave_check(cs);
	if (!l->type || l->policy != TRNC_CONTROL_ASK || timeout_ms < 0)
		return;
	if (timeout_ms == 0 ||
	    sd_event_add_time_relative(cs->process->event, &l->limit, CLOCK_MONOTONIC, (uint64_t)timeout_ms * 1000, 1000, on_limit,
				       cs) < 0)
		on_limit(NULL, 0, cs);
}

static int check(const struct device_control_server *cs, const struct trnc_msg *m, const struct trnc_control_leave *how,
		 struct trn_error *err)
{
	if (how->policy > TRNC_CONTROL_FORCE) {
		trn_error_set(err, -EINVAL, "BadPolicy", "there is no policy %u", how->policy);
		return trn_error_hint(err, "0: refuse, 1: ask, 2: force");
	}
	if (cs->leave.type || (cs->holder && m->type == TRNC_CONTROL_HOLD) || cs->process->is_stopping) {
		trn_error_set(err, -EALREADY, "HeldAlready", "device %s is being %s already", trn_device_uuid(device_of(cs)),
			      cs->leave.type == TRNC_CONTROL_STOP || cs->process->is_stopping ? "stopped" : "held");
		return trn_error_hint(err, "wait for the one who does it");
	}
	return 0;
}

void control_handle_leave(struct control_conn *c, const struct trnc_msg *m, const struct trnc_control_leave *how)
{
	struct device_control_server *cs = c->server;
	struct trn_error err = { 0 };
	int r = check(cs, m, how, &err);

	if (r == 0 && !cs->holder)
		r = trn_device_hold(device_of(cs), how->policy == TRNC_CONTROL_REFUSE ? TRN_REMOVE_REFUSE : TRN_REMOVE_ASK, &err);
	if (r < 0) {
		control_refuse(c, m->type, m->id, &err);
		return;
	}
	cs->leave = (struct control_leave){ .conn = c, .id = m->id, .type = m->type, .policy = how->policy };
	begin(cs, how->timeout_ms);
}

void control_handle_release(struct control_conn *c, const struct trnc_msg *m)
{
	struct device_control_server *cs = c->server;
	struct trn_error err = { 0 };

	if (cs->holder && cs->holder != c) {
		trn_error_set(&err, -EBUSY, "HeldByAnother", "another connection holds device %s", trn_device_uuid(device_of(cs)));
		trn_error_hint(&err, "who holds it releases it");
		control_refuse(c, m->type, m->id, &err);
		return;
	}
	if (cs->holder && !cs->leave.type)
		unhold(cs);
	cs->holder = NULL;
	control_reply(c, m->type | TRNC_MSG_REPLY, m->id, NULL, 0);
}

static void cancel(struct device_control_server *cs)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -ECANCELED, "Cancelled", "waiting for the users of device %s was given up", trn_device_uuid(device_of(cs)));
	trn_error_hint(&err, "all is as before, try again when there is time to wait");
	give_up(cs, &err);
}

/* What is stopped by force has begun to end. */
static bool is_too_late(const struct control_leave *l)
{
	return l->type == TRNC_CONTROL_STOP && l->policy == TRNC_CONTROL_FORCE;
}

void control_handle_cancel(struct control_conn *c, const struct trnc_control_cancel *what)
{
	struct device_control_server *cs = c->server;

	if (cs->leave.type && cs->leave.conn == c && cs->leave.id == what->id && !is_too_late(&cs->leave))
		cancel(cs);
}

void control_leave_forget(struct control_conn *c)
{
	struct device_control_server *cs = c->server;

	if (cs->holder == c) {
		cs->holder = NULL;
		if (!cs->leave.type)
			unhold(cs);
	}
	if (cs->leave.conn != c)
		return;
	cs->leave.conn = NULL;
	if (!is_too_late(&cs->leave))
		cancel(cs);
}

void control_leave_end(struct device_control_server *cs)
{
	if (cs->leave.type)
		cancel(cs);
}
