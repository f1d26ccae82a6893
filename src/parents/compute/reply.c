/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "parents/compute/priv.h"

static void fill_error_body(struct trnc_error_body *body, const struct trn_error *err)
{
	memset(body, 0, sizeof(*body));
	snprintf(body->name, sizeof(body->name), "%s", err->name ? err->name : "Failed");
	snprintf(body->text, sizeof(body->text), "%s", err->text);
	snprintf(body->hint, sizeof(body->hint), "%s", err->hint);
}

void compute_reply(struct compute_session *s, uint32_t type, uint64_t id, const void *body, size_t len, int fd)
{
	struct {
		struct trnc_msg head;
		uint8_t body[TRNC_MSG_MAX - sizeof(struct trnc_msg)];
	} packet;

	packet.head = (struct trnc_msg){
		.type = type | TRNC_MSG_REPLY,
		.len = (uint32_t)(sizeof(packet.head) + len),
		.id = id,
	};
	if (len)
		memcpy(packet.body, body, len);
	s->client->send(s, &packet, packet.head.len, fd);
}

void compute_make_refusal(uint32_t type, uint64_t id, const struct trn_error *err, void *packet)
{
	struct trnc_error_body body;
	struct trnc_msg head = {
		.type = type | TRNC_MSG_REPLY,
		.len = COMPUTE_REFUSAL_LEN,
		.id = id,
		.status = err->code ? (uint32_t)-err->code : EIO,
	};

	fill_error_body(&body, err);
	memcpy(packet, &head, sizeof(head));
	memcpy((uint8_t *)packet + sizeof(head), &body, sizeof(body));
}

void compute_reply_error(struct compute_session *s, uint32_t type, uint64_t id, const struct trn_error *err)
{
	_Alignas(8) uint8_t packet[COMPUTE_REFUSAL_LEN];

	compute_make_refusal(type, id, err, packet);
	s->client->send(s, packet, sizeof(packet), -1);
}

void compute_refuse(struct compute_session *s, const struct trnc_msg *m, int code, const char *name, const char *fmt, ...)
{
	struct trn_error err = { 0 };
	char text[sizeof(err.text)];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	trn_error_set(&err, code, name, "%s", text);
	compute_reply_error(s, m->type, m->id, &err);
}

void compute_make_farewell(const struct trn_error *err, void *packet)
{
	struct trnc_error_body body;
	struct trnc_msg head = {
		.type = TRNC_MSG_SESSION_LOST,
		.len = COMPUTE_FAREWELL_LEN,
	};

	fill_error_body(&body, err);
	memcpy(packet, &head, sizeof(head));
	memcpy((uint8_t *)packet + sizeof(head), &body, sizeof(body));
}
