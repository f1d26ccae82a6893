/* SPDX-License-Identifier: MIT */
/*
 * The device as one of several that share a tranche-parent: it joins before it is ready, and comes back when that was gone.
 *
 * While it is away, a program that comes waits for it PATIENCE_US: a restart takes less, and an executor that it has not
 * started has no share of time that anybody could enforce.  After that the program counts for more: its executor is started
 * by ourselves, as where there is no tranche-parent at all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/socket.h"
#include "parents/compute/priv.h"

#define PATIENCE_US 2000000u
#define ANSWER_S 5	    /* of the first JOIN */
#define APPEAR_NS 2000000000ull /* it may be started at this very moment */
#define FIRST_BACKOFF_MS 50u
#define LAST_BACKOFF_MS 5000u

/* Names are static, whatever somebody else calls it. */
static int take_refusal(const struct trnc_msg *m, const void *body, size_t len, struct trn_error *err)
{
	int code = m->status < 4096 ? -(int)m->status : -EPROTO;
	const char *name = code == -EUSERS ? "NoCapacity" : code == -EEXIST ? "UuidInUse" : "ParentRefused";
	struct trnc_error_body b;

	if (len != sizeof(b))
		return trn_error_set(err, -EPROTO, "ParentLost", "tranche-parent speaks another language");
	memcpy(&b, body, sizeof(b));
	trn_error_set(err, code, name, "%.*s", (int)sizeof(b.text) - 1, b.text);
	if (b.hint[0])
		trn_error_hint(err, "%.*s", (int)sizeof(b.hint) - 1, b.hint);
	return code;
}

/* ------------------------------------------------------------------- JOIN */

static void parse_uuid(const char *text, __u8 ret[16])
{
	for (size_t i = 0; i < 16; i++) {
		unsigned int byte = 0;

		text += *text == '-';
		if (sscanf(text, "%2x", &byte) != 1)
			return;
		ret[i] = (__u8)byte;
		text += 2;
	}
}

static int send_join(struct compute_forker *f)
{
	struct {
		struct trnc_msg head;
		struct trnc_parent_join body;
	} packet = {
		.head = { .type = TRNC_PARENT_JOIN, .len = sizeof(packet), .id = f->last_id + 1 },
		.body = {
			.memory = compute_device_memory(f->device),
			.time = compute_device_time(f->device),
			.version = TRNC_VERSION,
		},
	};

	parse_uuid(trn_device_uuid(f->device->dev), packet.body.uuid);
	f->counts = (struct trnc_parent_counts){ 0 };
	f->join_id = ++f->last_id;
	return base_send(f->sock, &packet, sizeof(packet), NULL, 0);
}

static int take_joined(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len, int fd,
		       struct trn_error *err)
{
	struct trnc_parent_joined joined;
	struct trnc_exec_ready ready;

	f->join_id = 0;
	if (m->status)
		return take_refusal(m, body, len, err);
	if (len != sizeof(joined))
		return trn_error_set(err, -EPROTO, "ParentLost", "tranche-parent speaks another language");
	memcpy(&joined, body, sizeof(joined));
	f->is_joined = true;
	f->has_told_probe = joined.probe_len > 0;
	if (!joined.probe_len)
		return 0;
	ready = (struct trnc_exec_ready){ .flags = joined.probe_flags, .probe_len = joined.probe_len };
	return compute_probe_learn(f->device, fd, &ready, err);
}

/* One that is about to listen is waited for. */
static int connect_patiently(const char *path, struct trn_error *err)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	uint64_t until = base_clock_ns() + APPEAR_NS;
	int r;

	while ((r = base_socket_connect(path, NULL)) == -ENOENT || r == -ECONNREFUSED) {
		if (base_clock_ns() > until)
			break;
		nanosleep(&pause, NULL);
	}
	if (r >= 0)
		return r;
	trn_error_set(err, r, "NoParent", "cannot reach tranche-parent at %.120s: %s", path, strerror(-r));
	return trn_error_hint(err, "start tranche-parent --listen first, or correct the path of --parent-socket");
}

/* The first JOIN's reply, in its time. */
static int receive_joined(struct compute_forker *f, struct trn_error *err)
{
	_Alignas(8) uint8_t packet[TRNC_MSG_MAX];
	const struct timeval limit = { .tv_sec = ANSWER_S };
	_cleanup_close_ int fd = -1;
	struct trnc_msg m = { 0 };
	size_t nr_fds = 1;
	ssize_t len;

	(void)setsockopt(f->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	len = base_recv(f->sock, packet, sizeof(packet), &fd, &nr_fds);
	if (len >= (ssize_t)sizeof(m))
		memcpy(&m, packet, sizeof(m));
	if (len > 0 && m.type == ((uint32_t)TRNC_PARENT_JOIN | TRNC_MSG_REPLY) && m.id == f->join_id && m.len == len)
		return take_joined(f, &m, packet + sizeof(m), (size_t)len - sizeof(m), fd, err);
	trn_error_set(err, len == -EAGAIN ? -ETIMEDOUT : -EPROTO, "ParentLost", "tranche-parent at %.120s %s",
		      f->device->config->parent_socket, len == -EAGAIN ? "does not answer" : "does not let devices join");
	return trn_error_hint(err, "see what it logs; end it if it hangs, it is started again");
}

int compute_forker_join(struct compute_forker *f, struct trn_error *err)
{
	int r = connect_patiently(f->device->config->parent_socket, err);

	if (r < 0)
		return r;
	f->sock = r;
	r = send_join(f);
	if (r == 0)
		r = receive_joined(f, err);
	if (r == 0)
		r = compute_forker_watch_socket(f);
	if (r < 0) {
		f->sock = base_close(f->sock);
		f->is_joined = false;
	}
	return r < 0 ? trn_error_set(err, r, "ParentLost", "cannot join tranche-parent: %s", strerror(-r)) : 0;
}

/* -------------------------------------------------------------- and again */

static void schedule(struct compute_forker *f);

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	struct compute_forker *f = data;
	int r;

	f->again = sd_event_source_disable_unref(f->again);
	r = base_socket_connect(f->device->config->parent_socket, NULL);
	if (r >= 0) {
		f->sock = r;
		r = compute_forker_watch_socket(f);
		if (r >= 0)
			r = send_join(f);
		if (r >= 0)
			r = compute_forker_limit(f);
	}
	if (r < 0) {
		f->io = sd_event_source_disable_unref(f->io);
		f->sock = base_close(f->sock);
		f->join_id = 0;
		schedule(f);
	}
	return 0;
}

static void schedule(struct compute_forker *f)
{
	if (f->again || f->device->takes_no_more)
		return;
	f->backoff_ms = f->backoff_ms ? f->backoff_ms * 2 : FIRST_BACKOFF_MS;
	if (f->backoff_ms > LAST_BACKOFF_MS)
		f->backoff_ms = LAST_BACKOFF_MS;
	(void)sd_event_add_time_relative(f->device->config->event, &f->again, CLOCK_MONOTONIC, f->backoff_ms * 1000u, 10000,
					 on_again, f);
}

static struct compute_executor *find_unasked(const struct compute_forker *f)
{
	struct compute_executor *ex;

	base_list_for_each(ex, &f->device->executors, node)
		if (ex->is_unasked)
			return ex;
	return NULL;
}

static void refuse_unasked(struct compute_forker *f)
{
	struct compute_executor *ex;

	f->patience = sd_event_source_disable_unref(f->patience);
	while ((ex = find_unasked(f))) {
		compute_forker_set_told(f, ex);
		compute_executor_not_forked(ex, -EAGAIN);
	}
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *data)
{
	log_warning("tranche-parent is away: executors are started without it, and without a share of time");
	refuse_unasked(data);
	return 0;
}

int compute_member_wait(struct compute_forker *f, struct compute_executor *ex)
{
	int r = 0;

	if (f->device->takes_no_more)
		return -ENOTCONN;
	if (!f->patience)
		r = sd_event_add_time_relative(f->device->config->event, &f->patience, CLOCK_MONOTONIC, PATIENCE_US, 1000,
					       on_patience_over, f);
	if (r < 0)
		return r;
	ex->start_id = ++f->last_id;
	ex->is_unasked = true;
	f->nr_asked++;
	return 0;
}

static void ask_unasked(struct compute_forker *f)
{
	struct compute_executor *ex;

	f->patience = sd_event_source_disable_unref(f->patience);
	while ((ex = find_unasked(f))) {
		int r = ex->is_killed ? -ECANCELED : compute_executor_ask(ex);

		if (r == 0)
			continue;
		compute_forker_set_told(f, ex);
		compute_executor_not_forked(ex, r);
	}
}

/* It is back. Return: 0 or -EPROTO. */
static int take_joined_again(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len, int fd)
{
	struct trn_error err = { 0 };

	if (take_joined(f, m, body, len, fd, &err) < 0) {
		log_warning("tranche-parent does not let the device join again: %s", err.text);
		return -EPROTO;
	}
	log_info("tranche-parent is back");
	f->backoff_ms = 0;
	f->nr_deaths = 0;
	f->limit = sd_event_source_disable_unref(f->limit);
	compute_forker_offer_probe(f);
	ask_unasked(f);
	return 0;
}

void compute_member_lost(struct compute_forker *f)
{
	struct compute_executor *ex;
	struct trn_error err = { 0 };

	if (f->is_joined)
		log_warning("the connection to tranche-parent is lost, and with it the executors that it had started");
	f->is_joined = false;
	f->join_id = 0;
	schedule(f);
	base_list_for_each(ex, &f->device->executors, node)
		if (ex->shared_id && ex->pid && !ex->is_gone && !ex->exit)
			compute_executor_orphaned(ex);
	if (!f->update_id)
		return;
	f->update_id = 0;
	trn_error_set(&err, -EAGAIN, "ParentLost", "tranche-parent went while it was asked");
	trn_error_hint(&err, "try again in a moment");
	compute_change_answered(f->device, &err);
}

void compute_member_finish(struct compute_forker *f)
{
	f->again = sd_event_source_disable_unref(f->again);
	f->patience = sd_event_source_disable_unref(f->patience);
}

/* ---------------------------------------------------------- UPDATE, PROBE */

int compute_forker_update(struct compute_forker *f, uint64_t memory, uint32_t time, struct trn_error *err)
{
	struct {
		struct trnc_msg head;
		struct trnc_parent_update body;
	} packet = {
		.head = { .type = TRNC_PARENT_UPDATE, .len = sizeof(packet), .id = f->last_id + 1 },
		.body = { .memory = memory, .time = time },
	};
	int r = compute_forker_is_there(f) ? base_send(f->sock, &packet, sizeof(packet), NULL, 0) : -ENOTCONN;

	if (r < 0) {
		trn_error_set(err, -EAGAIN, "ParentLost", "tranche-parent, which counts what devices have, is away: %s", strerror(-r));
		return trn_error_hint(err, "try again in a moment");
	}
	f->update_id = ++f->last_id;
	return 0;
}

void compute_forker_offer_probe(struct compute_forker *f)
{
	const struct compute_probe *p = &f->device->probe;
	struct {
		struct trnc_msg head;
		struct trnc_parent_probe body;
	} packet = {
		.head = { .type = TRNC_PARENT_PROBE, .len = sizeof(packet) },
		.body = { .len = p->len, .flags = p->flags },
	};

	if (p->fd < 0 || !f->is_joined || f->has_told_probe)
		return;
	f->has_told_probe = true;
	(void)base_send(f->sock, &packet, sizeof(packet), &p->fd, 1);
}

/* ----------------------------------------------------------------- answers */

static int take_ended(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len)
{
	struct trnc_parent_ended ended;
	struct compute_executor *ex;

	if (len != sizeof(ended))
		return -EPROTO;
	memcpy(&ended, body, sizeof(ended));
	base_list_for_each(ex, &f->device->executors, node) {
		if (ex->shared_id != m->id || ex->is_gone)
			continue;
		compute_executor_reaped(ex, &ended);
		return 0;
	}
	return 0; /* one that we have given up already */
}

static int take_updated(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len)
{
	struct trn_error err = { 0 };

	f->update_id = 0;
	if (m->status)
		take_refusal(m, body, len, &err);
	compute_change_answered(f->device, m->status ? &err : NULL);
	return 0;
}

int compute_member_take(struct compute_forker *f, const struct trnc_msg *m, const void *body, size_t len, int *fd)
{
	if (!f->device->config->parent_socket)
		return -EPROTO;
	if (m->type == TRNC_PARENT_ENDED && m->id)
		return take_ended(f, m, body, len);
	if (m->type == ((uint32_t)TRNC_PARENT_JOIN | TRNC_MSG_REPLY) && m->id && m->id == f->join_id)
		return take_joined_again(f, m, body, len, *fd);
	if (m->type == ((uint32_t)TRNC_PARENT_UPDATE | TRNC_MSG_REPLY) && m->id && m->id == f->update_id)
		return take_updated(f, m, body, len);
	return -EPROTO;
}
