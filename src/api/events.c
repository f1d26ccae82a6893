/* SPDX-License-Identifier: MIT */
/* Server-sent events: lines "field: value", and an empty one behind each event. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

struct stream {
	struct api *a;
	api_event_fn fn;
	void *data;
	struct api_buffer text;	  /* what was not a whole line yet; or the body of a refusal */
	struct api_buffer object; /* "data" of the event so far */
	char kind[64];
	uint64_t seq;
	bool is_open;
	long status;
	int ended; /* what fn returned, or -errno */
};

static int deliver(struct stream *s)
{
	json_t *what = s->object.len ? json_loadb(s->object.data, s->object.len, JSON_DECODE_ANY, NULL) : NULL;
	int r = 0;

	if (s->kind[0])
		r = s->fn(s->data, s->seq, s->kind, what);
	json_decref(what);
	s->kind[0] = '\0';
	s->object.len = 0;
	return r;
}

static int take_field(struct stream *s, const char *name, const char *value)
{
	if (!strcmp(name, "id"))
		s->seq = strtoull(value, NULL, 10);
	else if (!strcmp(name, "event"))
		snprintf(s->kind, sizeof(s->kind), "%s", value);
	else if (!strcmp(name, "data"))
		return api_buffer_add(&s->object, value, strlen(value));
	return 0;
}

static int take_line(struct stream *s, char *line)
{
	char *colon;
	size_t len = strlen(line);

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (!*line)
		return deliver(s);
	colon = strchr(line, ':');
	if (!colon || colon == line) /* a comment, or a field without value */
		return 0;
	*colon++ = '\0';
	return take_field(s, line, *colon == ' ' ? colon + 1 : colon);
}

/* All whole lines; the rest stays. */
static int take_lines(struct stream *s)
{
	char *at = s->text.data, *end;
	int r = 0;

	while (r == 0 && (end = memchr(at, '\n', s->text.len - (size_t)(at - s->text.data)))) {
		*end = '\0';
		r = take_line(s, at);
		at = end + 1;
	}
	s->text.len -= (size_t)(at - s->text.data);
	memmove(s->text.data, at, s->text.len);
	return r;
}

/* The head of the answer is there: the stream is open. */
static size_t receive_head(char *data, size_t size, size_t nr, void *stream)
{
	struct stream *s = stream;
	size_t len = size * nr;

	if (len > 2 || s->is_open || s->ended) /* the empty line behind the head */
		return len;
	curl_easy_getinfo(s->a->easy, CURLINFO_RESPONSE_CODE, &s->status);
	if (s->status != 200)
		return len;
	s->is_open = true;
	s->ended = s->fn(s->data, 0, NULL, NULL);
	return s->ended ? 0 : len;
}

static size_t receive(char *data, size_t size, size_t nr, void *stream)
{
	struct stream *s = stream;

	if (api_buffer_add(&s->text, data, size * nr) < 0)
		return 0;
	if (s->is_open)
		s->ended = take_lines(s);
	return s->ended ? 0 : size * nr;
}

static int follow(struct stream *s, const char *path, struct trn_error *err)
{
	struct api *a = s->a;
	CURLcode result = CURLE_OK;
	int r = api_prepare(a, path, err);

	if (r < 0)
		return r;
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(a->easy, CURLOPT_HEADERFUNCTION, receive_head);
	curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, s);
	r = api_perform(a, 0, &result, err);
	if (s->ended)
		return s->ended;
	if (r < 0)
		return r;
	if (result == CURLE_WRITE_ERROR)
		return trn_error_set(err, -E2BIG, "NotUnderstood", "an event of tranched at %s is too long", a->socket);
	if (!s->is_open)
		return api_refused(a, s->status, s->text.data, s->text.len, err);
	return trn_error_set(err, -ECONNRESET, "StreamEnded", "tranched at %s has ended the stream of events", a->socket);
}

int api_events(struct api *a, uint64_t since, api_event_fn fn, void *data, struct trn_error *err)
{
	struct stream s = { .a = a, .fn = fn, .data = data };
	char path[64] = "/v1/events";
	int r;

	if (since)
		snprintf(path, sizeof(path), "/v1/events?since=%" PRIu64, since);
	r = follow(&s, path, err);
	api_buffer_finish(&s.text);
	api_buffer_finish(&s.object);
	return r;
}
