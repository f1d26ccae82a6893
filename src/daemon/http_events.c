/* SPDX-License-Identifier: MIT */
/*
 * Events of the manager's, as server-sent events.  The last ones are kept once for all; a client has no more than its place among
 * them: one that reads so slowly that its place is gone is dropped.
 *
 * The number that a client sees (and comes back with) is larger than any of an earlier run, so that a client that was
 * connected to that one is told to look at everything again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "daemon/http_priv.h"

#define STUCK_TICKS 4 /* of the keep-alive, in which nothing was taken */
#define BLOCK_SIZE 4096
#define GREETING ": events of tranched\nretry: 1000\n\n"

struct event {
	char *text; /* as it is sent */
	size_t len;
};

struct http_events {
	struct daemon_http *http;
	struct daemon_listener *listener;
	struct event ring[HTTP_EVENTS_KEPT];
	uint64_t first, next; /* kept: [first, next); ring[n % HTTP_EVENTS_KEPT] */
	uint64_t base;	      /* the number of event n on the wire is base + n */
	size_t bytes;
	struct base_list streams;
	unsigned int nr_streams;
	sd_event_source *keep_alive;
};

struct http_stream {
	struct base_list node;
	struct http_events *events;
	struct http_connection *c;
	uint64_t next;	  /* event */
	size_t offset;	  /* sent of it */
	char first[160];  /* what comes before: a greeting, a reset, a sign of life */
	size_t first_len, first_offset;
	bool is_suspended, is_dropped;
	unsigned int stuck;
};

/* ------------------------------------------------------------- the ring */

static void drop_oldest(struct http_events *events)
{
	struct event *e = &events->ring[events->first++ % HTTP_EVENTS_KEPT];

	events->bytes -= e->len;
	free(e->text);
	*e = (struct event){ 0 };
}

static void wake(struct http_stream *s)
{
	if (!s->is_suspended)
		return;
	s->is_suspended = false;
	daemon_http_resume(s->c);
}

static void drop(struct http_stream *s)
{
	if (s->is_dropped)
		return;
	s->is_dropped = true;
	daemon_http_connection_close(s->c);
	wake(s);
}

/* Those whose next event is not kept any more, and those that are in the middle of it. */
static void drop_slow(struct http_events *events)
{
	struct http_stream *s;

	base_list_for_each(s, &events->streams, node) {
		if (s->next >= events->first || s->is_dropped)
			continue;
		log_debug("http: a listener of uid %d is too slow: closed", (int)s->c->peer.uid);
		drop(s);
	}
}

static void handle_event(void *data, uint64_t seq, const char *kind, json_t *what)
{
	struct http_events *events = data;
	char *json = what ? json_dumps(what, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	struct event e = { 0 };
	struct http_stream *s;
	int len = asprintf(&e.text, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", events->base + events->next, kind, json ? json : "{}");

	free(json);
	/* An event that is lost leaves a gap, and whoever is there is told to look again: by closing. */
	if (len < 0) {
		base_list_for_each(s, &events->streams, node)
			drop(s);
		return;
	}
	e.len = (size_t)len;
	/* Our own count: the manager's began before we listened. */
	if (events->next - events->first == HTTP_EVENTS_KEPT)
		drop_oldest(events);
	events->ring[events->next++ % HTTP_EVENTS_KEPT] = e;
	events->bytes += e.len;
	while (events->bytes > HTTP_EVENTS_MAX_BYTES && events->first + 1 < events->next)
		drop_oldest(events);
	drop_slow(events);
	base_list_for_each(s, &events->streams, node)
		wake(s);
}

/* ---------------------------------------------------------- the streams */

static size_t copy(char *to, size_t max, const char *from, size_t len, size_t *offset)
{
	size_t n = len - *offset < max ? len - *offset : max;

	memcpy(to, from + *offset, n);
	*offset += n;
	return n;
}

static size_t fill(struct http_stream *s, char *buf, size_t max)
{
	struct http_events *events = s->events;
	size_t n = copy(buf, max, s->first, s->first_len, &s->first_offset);

	while (n < max && s->next < events->next) {
		const struct event *e = &events->ring[s->next % HTTP_EVENTS_KEPT];

		n += copy(buf + n, max - n, e->text, e->len, &s->offset);
		if (s->offset < e->len)
			break;
		s->next++;
		s->offset = 0;
	}
	return n;
}

/* MHD wants something to send; there is nothing: it sleeps. */
static ssize_t handle_reader(void *data, uint64_t pos, char *buf, size_t max)
{
	struct http_stream *s = data;
	size_t n;

	if (s->is_dropped || s->next < s->events->first)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = fill(s, buf, max);
	s->stuck = 0;
	if (!n) {
		s->is_suspended = true;
		MHD_suspend_connection(s->c->mhd);
	}
	return (ssize_t)n;
}

static int handle_gone(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct http_connection *c = data;

	if (c->stream)
		drop(c->stream);
	return 0;
}

/* Something has to be written now and then, for whatever lies between to keep the connection. */
static void keep(struct http_stream *s)
{
	if (!s->is_suspended) {
		if (++s->stuck >= STUCK_TICKS)
			drop(s);
		return;
	}
	s->first_offset = 0;
	s->first_len = (size_t)snprintf(s->first, sizeof(s->first), ":\n\n");
	wake(s);
}

static int handle_keep_alive(sd_event_source *source, uint64_t at, void *data)
{
	struct http_events *events = data;
	struct http_stream *s;

	base_list_for_each(s, &events->streams, node)
		keep(s);
	if (!events->nr_streams)
		return 0;
	sd_event_source_set_time_relative(source, events->http->limits.keep_alive);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start_keep_alive(struct http_events *events)
{
	uint64_t us = events->http->limits.keep_alive;
	int state, r;

	if (!events->keep_alive)
		return sd_event_add_time_relative(events->http->event, &events->keep_alive, CLOCK_MONOTONIC, us, us / 8, handle_keep_alive,
						  events);
	if (sd_event_source_get_enabled(events->keep_alive, &state) >= 0 && state != SD_EVENT_OFF)
		return 0;
	r = sd_event_source_set_time_relative(events->keep_alive, us);
	return r < 0 ? r : sd_event_source_set_enabled(events->keep_alive, SD_EVENT_ONESHOT);
}

/* Which event did the client see last? Return: 1; 0: it does not say; -EINVAL. */
static int get_since(struct http_connection *c, uint64_t *ret)
{
	const char *text = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "Last-Event-ID");
	char word[32], *end;
	int r = 1;

	/* The header is the browser's, when it connects again by itself: newer than what the page asked for. */
	if (!text) {
		r = daemon_http_query_get(c, "since", word, sizeof(word));
		text = word;
	}
	if (r <= 0 || !*text)
		return r < 0 ? r : 0;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno ? -EINVAL : 1;
}

/* 0: from the first one of this run on. */
static bool set_place(struct http_stream *s, bool has_since, uint64_t since)
{
	struct http_events *events = s->events;

	s->next = events->next;
	if (!has_since)
		return false;
	if (!since)
		since = events->base;
	if (since >= events->base && since - events->base + 1 >= events->first && since - events->base < events->next) {
		s->next = since - events->base + 1;
		return false;
	}
	/* What lies between is not known any more. */
	s->next = events->first;
	return true;
}

static struct http_stream *create_stream(struct http_connection *c, bool has_since, uint64_t since)
{
	struct http_events *events = c->http->events;
	struct http_stream *s = calloc(1, sizeof(*s));
	int len;

	if (!s)
		return NULL;
	s->events = events;
	s->c = c;
	base_list_append(&events->streams, &s->node);
	events->nr_streams++;
	if (set_place(s, has_since, since))
		len = snprintf(s->first, sizeof(s->first), GREETING "id: %" PRIu64 "\nevent: reset\ndata: {}\n\n",
			       events->base + s->next - 1);
	else
		len = snprintf(s->first, sizeof(s->first), GREETING);
	s->first_len = (size_t)len;
	if (daemon_http_watch(c, handle_gone) < 0 || start_keep_alive(events) < 0) {
		daemon_http_stream_destroy(s);
		return NULL;
	}
	return s;
}

void daemon_http_stream_destroy(struct http_stream *s)
{
	if (!s)
		return;
	base_list_remove(&s->node);
	s->events->nr_streams--;
	free(s);
}

static enum MHD_Result refuse_since(struct http_connection *c)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -EINVAL, "BadQuery", "Last-Event-ID or \"since\" is not the number of an event");
	trn_error_hint(&err, "give the id of the last event that was seen, or leave it out");
	return daemon_http_send_error(c, MHD_HTTP_BAD_REQUEST, &err);
}

static struct MHD_Response *make_stream(struct http_stream *s)
{
	struct MHD_Response *answer = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, handle_reader, s, NULL);

	if (answer) {
		MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
		MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
		MHD_add_response_header(answer, "X-Accel-Buffering", "no");
	}
	return answer;
}

enum MHD_Result daemon_http_send_events(struct http_connection *c)
{
	uint64_t since = 0;
	int r = get_since(c, &since);

	if (r < 0)
		return refuse_since(c);
	c->stream = create_stream(c, r > 0, since);
	if (!c->stream)
		return MHD_NO;
	daemon_http_set_state(c, c->request.is_head ? HTTP_ANSWER : HTTP_STREAM);
	return daemon_http_send(c, MHD_HTTP_OK, make_stream(c->stream));
}

/* --------------------------------------------------------------- all */

int daemon_http_events_create(struct daemon_http *http, struct trn_error *err)
{
	struct http_events *events = calloc(1, sizeof(*events));
	struct timespec now;

	if (!events)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for events");
	http->events = events;
	events->http = http;
	base_list_init(&events->streams);
	events->first = events->next = 1;
	clock_gettime(CLOCK_REALTIME, &now);
	/* Exact in a double, as JavaScript has them. */
	events->base = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	events->listener = daemon_listener_add(http->manager, handle_event, events);
	return events->listener ? 0 : trn_error_set(err, -ENOMEM, "NoMemory", "no memory for events");
}

void daemon_http_events_destroy(struct daemon_http *http)
{
	struct http_events *events = http->events;

	if (!events)
		return;
	daemon_listener_remove(events->listener);
	while (events->first < events->next)
		drop_oldest(events);
	sd_event_source_disable_unref(events->keep_alive);
	free(events);
	http->events = NULL;
}

uint64_t daemon_http_events_count(const struct daemon_http *http)
{
	return http->events->next - 1;
}

unsigned int daemon_http_events_streams(const struct daemon_http *http)
{
	return http->events->nr_streams;
}
