/* SPDX-License-Identifier: MIT */
/* What is asked over the control socket, but for HOLD and STOP.  Who asks is trusted; that it speaks well is not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "device/config.h"
#include "device/control_priv.h"

static void answer(struct control_conn *c, const struct trnc_msg *m, const void *body, size_t len)
{
	control_reply(c, m->type | TRNC_MSG_REPLY, m->id, body, len);
}

/* ------------------------------------------------------------------ HELLO */

/* Sixteen bytes out of the text of a UUID. */
static void parse_uuid(const char *text, __u8 ret[16])
{
	for (size_t i = 0; i < 16; i++) {
		unsigned int byte = 0;

		text += strspn(text, "-\n");
		if (sscanf(text, "%2x", &byte) != 1)
			return;
		ret[i] = (__u8)byte;
		text += 2;
	}
}

static void handle_hello(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	struct device_control_server *cs = c->server;
	const struct device_process *p = cs->process;
	struct trnc_control_hello reply = {
		.start_ticks = p->start_ticks,
		.started_ns = p->started_ns,
		.pid = (__s32)getpid(),
		.flags = (cs->is_confirmed ? TRNC_CONTROL_FLAG_CONFIRMED : 0) |
			 (cs->holder || cs->leave.type == TRNC_CONTROL_HOLD ? TRNC_CONTROL_FLAG_HELD : 0) |
			 (cs->leave.type == TRNC_CONTROL_STOP || p->is_stopping ? TRNC_CONTROL_FLAG_STOPPING : 0),
		.version = TRANCHE_VERSION,
	};
	struct trnc_control_stats stats;
	struct trn_resources taken;

	parse_uuid(trn_device_uuid(p->dev), reply.uuid);
	parse_uuid(p->boot_id, reply.boot_id);
	device_process_get_stats(p, &stats);
	trn_device_get_resources(p->dev, &taken);
	reply.memory = stats.quota;
	reply.time = (__u32)taken.amount[TRN_RESOURCE_TIME];
	c->has_greeted = true;
	if (!cs->has_owner) {
		cs->has_owner = true;
		cs->owner = c;
		cs->hello_limit = sd_event_source_disable_unref(cs->hello_limit);
	}
	answer(c, m, &reply, sizeof(reply));
}

static void handle_confirm(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	c->server->is_confirmed = true;
	c->server->hello_limit = sd_event_source_disable_unref(c->server->hello_limit);
	answer(c, m, NULL, 0);
}

/* ------------------------------------------------------------------ reads */

static void handle_stats(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	struct trnc_control_stats stats;

	device_process_get_stats(c->server->process, &stats);
	answer(c, m, &stats, sizeof(stats));
}

static void handle_holders(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	struct {
		struct trnc_control_holders head;
		char names[TRNC_MSG_MAX - sizeof(struct trnc_msg) - sizeof(struct trnc_control_holders)];
	} reply = { 0 };
	unsigned int nr;
	size_t len = 0;

	reply.head.total = trn_device_get_holders(c->server->process->dev, reply.names, sizeof(reply.names), &nr);
	reply.head.nr = nr;
	while (nr--)
		len += strlen(reply.names + len) + 1;
	answer(c, m, &reply, sizeof(reply.head) + len);
}

/* -------------------------------------------------------------------- SET */

static void handle_set_done(void *data, const struct trn_error *err)
{
	struct device_control_server *cs = data;
	struct control_conn *c = cs->setter;

	cs->is_setting = false;
	cs->setter = NULL;
	if (!c)
		return;
	if (err)
		control_refuse(c, TRNC_CONTROL_SET, cs->set_id, err);
	else
		control_reply(c, TRNC_CONTROL_SET | TRNC_MSG_REPLY, cs->set_id, NULL, 0);
}

static void handle_set(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	struct device_control_server *cs = c->server;
	struct device_process *p = cs->process;
	const struct trnc_control_set *set = body;
	struct trn_error err = { 0 };
	struct trn_resources want;

	if (set->reserved)
		trn_error_set(&err, -EINVAL, "BadMessage", "unknown flags of SET");
	else if (set->time != TRNC_CONTROL_TIME_KEEP && set->time > 1000)
		trn_error_set(&err, -EINVAL, "BadTime", "there are 1000 thousandths of time, not %u", set->time);
	else if (cs->is_setting)
		trn_error_set(&err, -EALREADY, "BeingSet", "another change of this device is under way");
	if (err.code) {
		trn_error_hint(&err, "ask for other amounts, or try again in a moment");
		control_refuse(c, m->type, m->id, &err);
		return;
	}
	trn_device_get_resources(p->dev, &want);
	if (set->memory)
		want.amount[TRN_RESOURCE_MEMORY] = set->memory;
	if (set->time != TRNC_CONTROL_TIME_KEEP)
		want.amount[TRN_RESOURCE_TIME] = set->time;
	cs->is_setting = true;
	cs->setter = c;
	cs->set_id = m->id;
	p->service->set(p, &want, handle_set_done, cs);
}

/* ------------------------------------------------------------ HOLD, STOP */

static void handle_leave(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	control_handle_leave(c, m, body);
}

static void handle_release(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	control_handle_release(c, m);
}

static void handle_cancel(struct control_conn *c, const struct trnc_msg *m, const void *body)
{
	control_handle_cancel(c, body);
}

/* --------------------------------------------------------------- messages */

static const struct handler {
	const char *name;
	size_t body_len;
	void (*handle)(struct control_conn *c, const struct trnc_msg *m, const void *body);
} handlers[] = {
#define AT(type) [(type) - TRNC_CONTROL_HELLO]
	AT(TRNC_CONTROL_HELLO) = { "HELLO", 0, handle_hello },
	AT(TRNC_CONTROL_CONFIRM) = { "CONFIRM", 0, handle_confirm },
	AT(TRNC_CONTROL_STATS) = { "STATS", 0, handle_stats },
	AT(TRNC_CONTROL_HOLD) = { "HOLD", sizeof(struct trnc_control_leave), handle_leave },
	AT(TRNC_CONTROL_RELEASE) = { "RELEASE", 0, handle_release },
	AT(TRNC_CONTROL_STOP) = { "STOP", sizeof(struct trnc_control_leave), handle_leave },
	AT(TRNC_CONTROL_CANCEL) = { "CANCEL", sizeof(struct trnc_control_cancel), handle_cancel },
	AT(TRNC_CONTROL_SET) = { "SET", sizeof(struct trnc_control_set), handle_set },
	AT(TRNC_CONTROL_HOLDERS) = { "HOLDERS", 0, handle_holders },
#undef AT
};

static const struct handler *find_handler(uint32_t type)
{
	uint32_t i = type - TRNC_CONTROL_HELLO;

	return i < sizeof(handlers) / sizeof(handlers[0]) && handlers[i].handle ? &handlers[i] : NULL;
}

static void check_message(const struct trnc_msg *m, const struct handler *h, struct trn_error *err)
{
	if (!h)
		trn_error_set(err, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u", m->type);
	else if ((m->id == 0 && m->type != TRNC_CONTROL_CANCEL) || m->status || m->flags)
		trn_error_set(err, -EINVAL, "BadMessage", "%s with id %llu, status %u, flags 0x%x: the id must not be 0, the others must",
			      h->name, (unsigned long long)m->id, m->status, m->flags);
	else if (m->len - sizeof(*m) != h->body_len)
		trn_error_set(err, -EINVAL, "BadLength", "the body of %s has %zu bytes, not %zu", h->name, h->body_len,
			      m->len - sizeof(*m));
	trn_error_hint(err, "see include/tranche/wire/control.h");
}

void control_handle_packet(struct control_conn *c, const void *data, size_t len)
{
	_Alignas(8) uint8_t body[64];
	struct trn_error err = { 0 };
	const struct handler *h;
	struct trnc_msg m = { 0 };

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	if (len < sizeof(m) || len > TRNC_MSG_MAX || m.len != len) {
		trn_error_set(&err, -EBADMSG, "BadPacket", "a packet of %zu bytes is no message", len);
		trn_error_hint(&err, "see include/tranche/wire/control.h");
		control_refuse(c, m.type & ~TRNC_MSG_REPLY, m.id, &err);
		return;
	}
	h = find_handler(m.type);
	check_message(&m, h, &err);
	if (err.code || h->body_len > sizeof(body)) {
		control_refuse(c, m.type & ~TRNC_MSG_REPLY, m.id, &err);
		return;
	}
	memcpy(body, (const uint8_t *)data + sizeof(m), h->body_len);
	h->handle(c, &m, body);
}
