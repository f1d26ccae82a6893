/* SPDX-License-Identifier: MIT */
/* Connections: their states, and how long a client may take. */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/log.h"
#include "daemon/http_priv.h"

#define SWEEP_US 1000000u

static uint64_t now_of(const struct daemon_http *http)
{
	uint64_t now = 0;

	/* The time at which the loop woke up: no system call. */
	sd_event_now(http->event, CLOCK_MONOTONIC, &now);
	return now;
}

void daemon_http_set_state(struct http_connection *c, enum http_state state)
{
	c->state = state;
	c->since = now_of(c->http);
	base_list_remove(&c->node);
	base_list_append(&c->http->connections, &c->node);
}

static int handle_sweep(sd_event_source *source, uint64_t at, void *data)
{
	struct daemon_http *http = data;

	daemon_http_sweep(http);
	if (base_list_is_empty(&http->connections))
		return 0;
	sd_event_source_set_time(source, now_of(http) + SWEEP_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int start_sweep(struct daemon_http *http)
{
	int state, r;

	if (!http->sweep)
		return sd_event_add_time_relative(http->event, &http->sweep, CLOCK_MONOTONIC, SWEEP_US, SWEEP_US / 4, handle_sweep, http);
	if (sd_event_source_get_enabled(http->sweep, &state) >= 0 && state != SD_EVENT_OFF)
		return 0;
	r = sd_event_source_set_time(http->sweep, now_of(http) + SWEEP_US);
	return r < 0 ? r : sd_event_source_set_enabled(http->sweep, SD_EVENT_ONESHOT);
}

struct http_connection *daemon_http_connection_create(struct daemon_http *http, int fd, bool is_local)
{
	struct http_connection *c = start_sweep(http) < 0 ? NULL : calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->http = http;
	c->fd = fd;
	base_list_init(&c->node);
	c->access_generation = http->access.generation;
	if (!is_local)
		daemon_access_tcp(&c->peer);
	else if (daemon_access_local(&http->access, fd, &c->peer) < 0) {
		free(c);
		return NULL;
	}
	http->nr_connections++;
	daemon_http_set_state(c, HTTP_HEAD);
	return c;
}

void daemon_http_connection_destroy(struct http_connection *c)
{
	if (!c)
		return;
	daemon_http_unwatch(c);
	daemon_http_call_abandon(c);
	daemon_http_body_free(&c->request);
	base_list_remove(&c->node);
	c->http->nr_connections--;
	c->http->nr_closing -= c->is_closing;
	free(c);
}

void daemon_http_connection_close(struct http_connection *c)
{
	if (c->is_closing)
		return;
	c->is_closing = true;
	c->http->nr_closing++;
	shutdown(c->fd, SHUT_RDWR);
}

static uint64_t limit_of(const struct http_connection *c)
{
	const struct http_limits *limits = &c->http->limits;

	switch (c->state) {
	case HTTP_HEAD:
		return limits->head;
	case HTTP_IDLE:
		return limits->idle;
	case HTTP_ANSWER:
		return limits->answer;
	case HTTP_BUSY:	  /* as long as it takes */
	case HTTP_STREAM: /* http_events.c looks after these */
		break;
	}
	return UINT64_MAX;
}

void daemon_http_sweep(struct daemon_http *http)
{
	uint64_t now = now_of(http);
	struct http_connection *c;

	base_list_for_each(c, &http->connections, node) {
		if (now - c->since < limit_of(c))
			continue;
		if (!c->is_closing && c->state != HTTP_IDLE)
			log_debug("http: a client of uid %d is too slow: closed", (int)c->peer.uid);
		daemon_http_connection_close(c);
	}
}

bool daemon_http_close_idle(struct daemon_http *http)
{
	struct http_connection *c;

	base_list_for_each(c, &http->connections, node) {
		if (c->state != HTTP_IDLE || c->is_closing)
			continue;
		daemon_http_connection_close(c);
		return true;
	}
	return false;
}

void daemon_http_resume(struct http_connection *c)
{
	MHD_resume_connection(c->mhd);
	/* Without a thread of its own the library does not tell its epoll descriptor. */
	sd_event_source_set_enabled(c->http->again, SD_EVENT_ONESHOT);
}

int daemon_http_watch(struct http_connection *c, sd_event_io_handler_t fn)
{
	/* A local client that only said that it sends no more still waits for its answer; by TCP that cannot be told from gone. */
	uint32_t events = c->peer.is_local ? EPOLLHUP : EPOLLRDHUP;
	int r = sd_event_add_io(c->http->event, &c->gone, c->fd, events, fn, c);

	return r < 0 ? r : sd_event_source_set_enabled(c->gone, SD_EVENT_ONESHOT);
}

void daemon_http_unwatch(struct http_connection *c)
{
	c->gone = sd_event_source_disable_unref(c->gone);
}
