/* SPDX-License-Identifier: MIT */
/* From the first line of a request to what answers it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http_priv.h"

#define ALLOW_SIZE 64

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void *daemon_http_begin(void *cls, const char *uri, struct MHD_Connection *mhd)
{
	struct http_connection *c = connection_of(mhd);

	/* A new connection has its time already. */
	if (c && c->state == HTTP_IDLE)
		daemon_http_set_state(c, HTTP_HEAD);
	return c;
}

void daemon_http_complete(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why)
{
	struct http_connection *c = *request ? *request : connection_of(mhd);
	struct http_stream *stream;

	if (!c)
		return;
	daemon_http_unwatch(c);
	daemon_http_call_abandon(c);
	stream = c->stream;
	c->stream = NULL;
	daemon_http_stream_destroy(stream);
	daemon_http_body_free(&c->request);
	if (c->request.answer)
		MHD_destroy_response(c->request.answer);
	/* Not the path: that is large, and only read after it was written. */
	c->request.answer = NULL;
	c->request.route = NULL;
	c->request.has_begun = c->request.is_dispatched = c->request.is_head = c->request.is_gone = c->request.is_too_large = false;
	daemon_http_set_state(c, HTTP_IDLE);
}

/* ------------------------------------------- when the headers are there */

static const char *header(struct http_connection *c, const char *name)
{
	return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

static bool is_announced_too_large(struct http_connection *c)
{
	const char *text = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return text && strtoull(text, NULL, 10) > HTTP_MAX_BODY;
}

/*
 * An answer that comes before the body closes the connection: who waits to be asked for the body, or has a large one, is answered so.
 * The others' are read, and their connection is kept.
 */
static enum MHD_Result send_early(struct http_connection *c, unsigned int status, struct MHD_Response *answer)
{
	if (header(c, MHD_HTTP_HEADER_EXPECT) || header(c, MHD_HTTP_HEADER_TRANSFER_ENCODING) || is_announced_too_large(c))
		return daemon_http_send(c, status, answer);
	c->request.answer = answer;
	c->request.status = status;
	return answer ? MHD_YES : MHD_NO;
}

static enum MHD_Result send_early_error(struct http_connection *c, unsigned int status, const struct trn_error *err)
{
	return send_early(c, status, daemon_http_make_error(c, err));
}

static enum MHD_Result refuse(struct http_connection *c, unsigned int status, int code, const char *name, const char *hint,
			      const char *text)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, code, name, "%s", text);
	trn_error_hint(&err, "%s", hint);
	return send_early_error(c, status, &err);
}

static enum MHD_Result refuse_path(struct http_connection *c, int r)
{
	struct trn_error err = { 0 };

	if (r == -EINVAL)
		trn_error_set(&err, r, "BadPath", "the path %.150s is badly encoded", c->request.url);
	else
		trn_error_set(&err, r, "NoSuchPath", "there is nothing at %.150s", c->request.url);
	trn_error_hint(&err, "/openapi.json lists what there is");
	return send_early_error(c, daemon_http_status_of(r), &err);
}

static enum MHD_Result refuse_method(struct http_connection *c, const char *allow)
{
	struct trn_error err = { 0 };
	struct MHD_Response *answer;

	trn_error_set(&err, -EOPNOTSUPP, "MethodNotAllowed", "%.40s cannot be done to %.150s", c->request.method, c->request.url);
	trn_error_hint(&err, "possible: %s", allow);
	answer = daemon_http_make_error(c, &err);
	if (answer)
		MHD_add_response_header(answer, MHD_HTTP_HEADER_ALLOW, allow);
	return send_early(c, MHD_HTTP_METHOD_NOT_ALLOWED, answer);
}

/* A browser comes by TCP, or by the Unix socket when somebody forwards that. NULL: may go on. */
static const char *why_not_browser(struct http_connection *c)
{
	const char *origin = header(c, MHD_HTTP_HEADER_ORIGIN), *host;

	if (c->peer.is_local && !origin)
		return NULL;
	host = header(c, MHD_HTTP_HEADER_HOST);
	if (!daemon_access_is_our_host(host))
		return "a browser's request must be for localhost, 127.0.0.1 or [::1] (the Host header)";
	if (!daemon_access_is_our_origin(origin, host))
		return "a page of another origin may not ask";
	return NULL;
}

/* Groups may have changed since it connected. */
static void refresh_access(struct http_connection *c)
{
	const struct daemon_access *access = &c->http->access;

	if (c->access_generation == access->generation)
		return;
	if (c->peer.is_local && daemon_access_local(access, c->fd, &c->peer) < 0)
		c->peer.right = DAEMON_NONE;
	c->access_generation = access->generation;
}

static enum MHD_Result refuse_right(struct http_connection *c)
{
	static const char *const words[] = { "", "read", "use devices", "administer" };
	struct trn_error err = { 0 };

	if (!c->peer.is_local) {
		trn_error_set(&err, -EACCES, "ReadOnly", "%.20s %.150s: over TCP there is only reading", c->request.method, c->request.url);
		trn_error_hint(&err, "use the Unix socket");
	} else {
		trn_error_set(&err, -EACCES, "NoRight", "%.20s %.150s: uid %u may not %s", c->request.method, c->request.url, c->peer.uid,
			      words[c->request.route ? c->request.route->right : DAEMON_READ]);
		trn_error_hint(&err, "admin-group, use-group and others-read in tranched.conf say who may");
	}
	return send_early_error(c, MHD_HTTP_FORBIDDEN, &err);
}

static struct trn_error too_large(void)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -E2BIG, "TooLarge", "the request's body is larger than 64 KiB");
	trn_error_hint(&err, "send less");
	return err;
}

static enum MHD_Result refuse_size(struct http_connection *c)
{
	struct trn_error err = too_large();

	return send_early_error(c, daemon_http_status_of(-E2BIG), &err);
}

static bool has_body(struct http_connection *c)
{
	return header(c, MHD_HTTP_HEADER_CONTENT_LENGTH) || header(c, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* What can be said before the body is there is said then: nobody sends it for nothing. */
static enum MHD_Result begin(struct http_connection *c)
{
	struct http_request *r = &c->request;
	char allow[ALLOW_SIZE];
	const char *why = why_not_browser(c);
	int e;

	refresh_access(c);
	if (why)
		return refuse(c, MHD_HTTP_FORBIDDEN, -EACCES, "WrongHost", "open it as http://localhost:PORT/", why);
	if (c->peer.right == DAEMON_NONE)
		return refuse_right(c);
	e = daemon_http_split_path(r->url, &r->path);
	if (e < 0)
		return refuse_path(c, e);
	r->route = daemon_http_find_route(&r->path, r->method, allow, sizeof(allow));
	if (!r->route)
		return allow[0] ? refuse_method(c, allow) : refuse_path(c, -ENOENT);
	if (r->route->right > c->peer.right)
		return refuse_right(c);
	if (is_announced_too_large(c))
		return refuse_size(c);
	if (r->route->has_body && has_body(c) && !daemon_http_body_is_json(c->mhd))
		return refuse(c, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, -EINVAL, "NotJson",
			      "send it with the header Content-Type: application/json",
			      "the request's body is not said to be application/json");
	return MHD_YES;
}

/* ------------------------------------------------- when it is complete */

static enum MHD_Result send_refusal(struct http_connection *c, struct trn_error *err, int code)
{
	/* A manager that says no more than a number. */
	trn_error_set(err, code, "Failed", "%s", strerror(-code));
	return daemon_http_send_error(c, daemon_http_status_of(err->code), err);
}

static enum MHD_Result answer_read(struct http_connection *c)
{
	struct trn_error err = { 0 };
	json_t *result = NULL;
	int r = c->request.route->read(c, &result, &err);

	if (r < 0)
		return send_refusal(c, &err, r);
	return daemon_http_send(c, c->request.route->status, daemon_http_make_answer(c, result));
}

static enum MHD_Result change(struct http_connection *c, json_t *query)
{
	struct trn_error err = { 0 };
	json_t *body = NULL;
	enum MHD_Result result;
	int r = 0;

	if (c->request.route->has_body)
		r = daemon_http_body_parse(&c->request, &body, &err);
	if (r == 0 && c->request.route->has_body && !body) {
		r = trn_error_set(&err, -EINVAL, "NoBody", "the request has no body");
		trn_error_hint(&err, "one JSON object, as /openapi.json describes it");
	}
	daemon_http_body_free(&c->request);
	if (r < 0)
		return send_refusal(c, &err, r);
	result = daemon_http_call(c, body, query);
	json_decref(body);
	return result;
}

static enum MHD_Result dispatch(struct http_connection *c)
{
	const struct http_route *route = c->request.route;
	struct trn_error err = { 0 };
	json_t *query = NULL;
	enum MHD_Result result;
	int r;

	c->request.is_dispatched = true;
	daemon_http_set_state(c, HTTP_ANSWER);
	if (c->request.is_too_large) {
		err = too_large();
		return send_refusal(c, &err, -E2BIG);
	}
	r = daemon_http_query_parse(c, &query, &err);
	if (r < 0)
		return send_refusal(c, &err, r);
	if (route->read)
		result = answer_read(c);
	else if (route->raw)
		result = route->raw(c);
	else
		result = change(c, query);
	json_decref(query);
	return result;
}

/* It was suspended, and is not any more; or what was refused early is complete. */
static enum MHD_Result resume(struct http_connection *c)
{
	struct MHD_Response *answer = c->request.answer;

	c->request.answer = NULL;
	if (c->request.is_gone)
		return MHD_NO;
	daemon_http_set_state(c, HTTP_ANSWER);
	return daemon_http_send(c, c->request.status, answer);
}

enum MHD_Result daemon_http_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
				   const char *data, size_t *data_len, void **request)
{
	struct http_connection *c = *request ? *request : connection_of(mhd);
	struct http_request *r;

	if (!c || c->is_closing)
		return MHD_NO;
	r = &c->request;
	if (!r->has_begun) {
		r->has_begun = true;
		r->is_head = !strcmp(method, "HEAD");
		r->method = method;
		r->url = url;
		return begin(c);
	}
	if (*data_len) {
		if (!r->answer && !daemon_http_body_add(r, data, *data_len))
			return MHD_NO;
		*data_len = 0;
		return MHD_YES;
	}
	return r->is_dispatched || r->answer ? resume(c) : dispatch(c);
}
