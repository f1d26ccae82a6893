/* SPDX-License-Identifier: MIT */
/* The other end of include/tranche/wire/control.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/process_priv.h"

/* ------------------------------------------------------------ who it is */

/* Field 22 of /proc/PID/stat; the name in field 2 may have anything in it, and ends at the last bracket. */
int daemon_process_read_start(pid_t pid, uint64_t *ret)
{
	char path[32], line[1024];
	unsigned long long ticks;
	const char *at;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	at = strrchr(line, ')');
	if (!at || sscanf(at + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &ticks) != 1)
		return -EIO;
	*ret = ticks;
	return 0;
}

static int refuse_hello(const struct daemon_process *p, struct trn_error *err, const char *what)
{
	trn_error_set(err, -EPROTO, "WrongProcess", "who answers as %s is another process: its %s is not the right one", p->what, what);
	return trn_error_hint(err, "nothing but tranche-device may listen at %s", p->link.socket);
}

static int check_hello(const struct daemon_process *p, const struct trnc_control_hello *h, struct trn_error *err)
{
	uint64_t ticks = 0;
	char uuid[TRN_UUID_SIZE];

	snprintf(uuid, sizeof(uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h->uuid[0], h->uuid[1],
		 h->uuid[2], h->uuid[3], h->uuid[4], h->uuid[5], h->uuid[6], h->uuid[7], h->uuid[8], h->uuid[9], h->uuid[10],
		 h->uuid[11], h->uuid[12], h->uuid[13], h->uuid[14], h->uuid[15]);
	if (strcmp(uuid, p->uuid) != 0)
		return refuse_hello(p, err, "UUID");
	if (memcmp(h->boot_id, p->ps->boot_id, sizeof(h->boot_id)) != 0)
		return refuse_hello(p, err, "boot id");
	if (h->pid != p->link.pid)
		return refuse_hello(p, err, "process number");
	if (daemon_process_read_start(p->link.pid, &ticks) < 0 || ticks != h->start_ticks)
		return refuse_hello(p, err, "start time");
	return 0;
}

static void handle_hello(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	struct daemon_process *p = daemon_process_of(r->link);
	struct trnc_control_hello hello;
	struct trn_error wrong = { 0 };

	if (err) {
		/* A lost connection is heard of by itself. */
		if (err->code != -ENODEV && err->code != -EPROTO && p->state != DAEMON_PROCESS_KNOWN)
			daemon_process_end(p, err);
		return;
	}
	memcpy(&hello, body, sizeof(hello));
	hello.version[sizeof(hello.version) - 1] = '\0';
	if (check_hello(p, &hello, &wrong) >= 0) {
		daemon_process_greeted(p, &hello);
		return;
	}
	base_log_error(BASE_LOG_ERROR, &wrong);
	if (p->state != DAEMON_PROCESS_KNOWN) {
		daemon_process_end(p, &wrong);
		return;
	}
	daemon_link_disconnect(r->link, &wrong);
	daemon_process_broken(p, &wrong);
}

static void handle_connected(struct daemon_link *l)
{
	const struct daemon_link_call call = { .type = TRNC_CONTROL_HELLO, .min_reply = sizeof(struct trnc_control_hello),
					       .max_reply = sizeof(struct trnc_control_hello), .has_no_limit = true,
					       .answered = handle_hello };
	struct daemon_process_request *r;
	struct trn_error err = { 0 };

	if (daemon_process_of(l)->state == DAEMON_PROCESS_UNWANTED)
		return;
	if (daemon_link_call(l, &call, &r) >= 0)
		return;
	trn_error_set(&err, -ENODEV, "NoMemory", "no memory left to greet %s", l->what);
	daemon_link_disconnect(l, &err);
	l->ops->broken(l, &err);
}

static int handle_told(struct daemon_link *l, const struct trnc_msg *msg, const void *body, size_t len)
{
	struct daemon_process *p = daemon_process_of(l);
	struct trnc_control_stats stats;

	if (msg->type != TRNC_CONTROL_CHANGED || len != sizeof(stats))
		return -EPROTO;
	memcpy(&stats, body, sizeof(stats));
	if (p->state == DAEMON_PROCESS_KNOWN && p->was_told && p->events->changed)
		p->events->changed(p->data, &stats);
	return 0;
}

static void handle_silent(struct daemon_link *l)
{
	struct daemon_process *p = daemon_process_of(l);

	if (p->state == DAEMON_PROCESS_KNOWN && p->was_told && p->events->unresponsive)
		p->events->unresponsive(p->data);
}

static void handle_heard(struct daemon_link *l)
{
	struct daemon_process *p = daemon_process_of(l);

	if (p->state == DAEMON_PROCESS_KNOWN && p->was_told && p->events->answers)
		p->events->answers(p->data);
}

static void handle_broken(struct daemon_link *l, const struct trn_error *why)
{
	daemon_process_broken(daemon_process_of(l), why);
}

static void handle_ended(struct daemon_link *l)
{
	daemon_process_ended(daemon_process_of(l));
}

const struct daemon_link_ops daemon_process_link_ops = {
	.connected = handle_connected,
	.told = handle_told,
	.silent = handle_silent,
	.heard = handle_heard,
	.broken = handle_broken,
	.ended = handle_ended,
};

/* ------------------------------------------------------------ requests */

static void handle_done(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	if (r->fn.done)
		r->fn.done(r->data, err);
}

static int call(struct daemon_process *p, uint32_t type, const void *body, size_t len, daemon_process_done done, void *data,
		struct daemon_process_request **ret)
{
	const struct daemon_link_call c = {
		.type = type,
		.body = body,
		.len = len,
		.has_no_limit = type == TRNC_CONTROL_HOLD || type == TRNC_CONTROL_STOP,
		.answered = handle_done,
		.data = data,
	};
	struct daemon_process_request *r;
	int e = daemon_link_call(&p->link, &c, &r);

	if (e < 0)
		return e;
	r->fn.done = done;
	if (ret)
		*ret = r;
	return 0;
}

int daemon_process_confirm(struct daemon_process *p, daemon_process_done done, void *data)
{
	return call(p, TRNC_CONTROL_CONFIRM, NULL, 0, done, data, NULL);
}

int daemon_process_hold(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret_request)
{
	return call(p, TRNC_CONTROL_HOLD, how, sizeof(*how), done, data, ret_request);
}

int daemon_process_release(struct daemon_process *p, daemon_process_done done, void *data)
{
	return call(p, TRNC_CONTROL_RELEASE, NULL, 0, done, data, NULL);
}

int daemon_process_stop(struct daemon_process *p, const struct trnc_control_leave *how, daemon_process_done done, void *data,
			struct daemon_process_request **ret_request)
{
	return call(p, TRNC_CONTROL_STOP, how, sizeof(*how), done, data, ret_request);
}

int daemon_process_set(struct daemon_process *p, const struct trnc_control_set *set, daemon_process_done done, void *data)
{
	return call(p, TRNC_CONTROL_SET, set, sizeof(*set), done, data, NULL);
}

void daemon_process_cancel(struct daemon_process_request *r)
{
	const struct trnc_msg *msg = (const void *)r->message;
	const struct trnc_control_cancel cancel = { .id = msg->id };

	/* Without memory it goes on: the answer comes later. */
	(void)daemon_link_tell(r->link, TRNC_CONTROL_CANCEL, &cancel, sizeof(cancel));
}

static void handle_stats(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	struct trnc_control_stats stats;

	if (body)
		memcpy(&stats, body, sizeof(stats));
	r->fn.stats(r->data, err ? NULL : &stats, err);
}

int daemon_process_stats(struct daemon_process *p, daemon_process_stats_done done, void *data)
{
	const struct daemon_link_call c = { .type = TRNC_CONTROL_STATS, .min_reply = sizeof(struct trnc_control_stats),
					    .max_reply = sizeof(struct trnc_control_stats), .answered = handle_stats, .data = data };
	struct daemon_process_request *r;
	int e = daemon_link_call(&p->link, &c, &r);

	if (e >= 0)
		r->fn.stats = done;
	return e < 0 ? e : 0;
}

/* Strings, each with its NUL, as many as there are; one that is no UTF-8 is left out. */
static json_t *parse_holders(const char *text, size_t len, uint32_t nr)
{
	json_t *names = json_array();

	for (uint32_t i = 0; i < nr && len; i++) {
		const char *end = memchr(text, '\0', len);
		size_t size;

		if (!end)
			break;
		size = (size_t)(end - text);
		if (size)
			json_array_append_new(names, json_stringn(text, size));
		text += size + 1;
		len -= size + 1;
	}
	return names;
}

static void handle_holders(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	struct trnc_control_holders head;
	json_t *names;

	if (err) {
		r->fn.holders(r->data, NULL, 0, err);
		return;
	}
	memcpy(&head, body, sizeof(head));
	names = parse_holders((const char *)body + sizeof(head), len - sizeof(head), head.nr);
	r->fn.holders(r->data, names, head.total, NULL);
	json_decref(names);
}

int daemon_process_holders(struct daemon_process *p, daemon_process_holders_done done, void *data)
{
	const struct daemon_link_call c = { .type = TRNC_CONTROL_HOLDERS, .min_reply = sizeof(struct trnc_control_holders),
					    .max_reply = TRNC_MSG_MAX - sizeof(struct trnc_msg), .answered = handle_holders, .data = data };
	struct daemon_process_request *r;
	int e = daemon_link_call(&p->link, &c, &r);

	if (e >= 0)
		r->fn.holders = done;
	return e < 0 ? e : 0;
}
