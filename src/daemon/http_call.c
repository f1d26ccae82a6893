/* SPDX-License-Identifier: MIT */
/*
 * A request that changes something: the manager answers at once, or later; then the connection is suspended meanwhile.  The call
 * outlives a client that goes, if the manager cannot give it up.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/http_priv.h"

struct http_call {
	struct daemon_call call;
	struct daemon_peer peer;
	struct http_connection *c; /* NULL: nobody waits for the answer */
	bool is_suspended, is_done;
	json_t *result;
	struct trn_error err;
};

static struct http_call *to_call(struct daemon_call *call)
{
	return base_container_of(call, struct http_call, call);
}

static void destroy(struct http_call *call)
{
	base_close(call->call.peer_pidfd);
	json_decref(call->result);
	free(call);
}

/* Who changed what: one line where the request ends. */
static void note(const struct http_connection *c, const struct http_call *call, unsigned int status)
{
	const struct http_request *r = &c->request;

	if (call->err.code)
		log_info("uid %u, process %d: %s %s: %u: %s", c->peer.uid, (int)c->peer.pid, r->method, r->url, status, call->err.text);
	else
		log_info("uid %u, process %d: %s %s: %u", c->peer.uid, (int)c->peer.pid, r->method, r->url, status);
}

/* The answer of a call that is done, which ends here. */
static struct MHD_Response *finish(struct http_connection *c, unsigned int *ret_status)
{
	struct http_call *call = c->request.call;
	struct MHD_Response *answer;

	c->request.call = NULL;
	*ret_status = call->err.code ? daemon_http_status_of(call->err.code) : c->request.route->status;
	note(c, call, *ret_status);
	if (call->err.code)
		answer = daemon_http_make_error(c, &call->err);
	else
		answer = daemon_http_make_answer(c, *ret_status == MHD_HTTP_NO_CONTENT ? NULL : TAKE_PTR(call->result));
	destroy(call);
	return answer;
}

static void handle_done(struct daemon_call *manager_call, json_t *result, const struct trn_error *err)
{
	struct http_call *call = to_call(manager_call);
	struct http_connection *c = call->c;

	if (err && err->code) {
		call->err = *err;
		json_decref(result);
	} else {
		call->result = result;
	}
	call->is_done = true;
	if (!c) {
		destroy(call);
		return;
	}
	if (!call->is_suspended)
		return;
	daemon_http_unwatch(c);
	c->request.answer = finish(c, &c->request.status);
	/* The handler is called again, and sends it. */
	daemon_http_resume(c);
}

void daemon_http_call_abandon(struct http_connection *c)
{
	struct http_call *call = TAKE_PTR(c->request.call);

	if (!call)
		return;
	call->c = NULL;
	if (!call->is_done && !call->call.cancel)
		return; /* done() frees it */
	if (!call->is_done)
		call->call.cancel(&call->call);
	destroy(call);
}

static int handle_gone(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct http_connection *c = data;

	log_debug("http: the client of %s %s has gone", c->request.method, c->request.url);
	daemon_http_unwatch(c);
	daemon_http_call_abandon(c);
	c->request.is_gone = true;
	daemon_http_resume(c);
	return 0;
}

static enum MHD_Result suspend(struct http_connection *c, struct http_call *call)
{
	if (daemon_http_watch(c, handle_gone) < 0) {
		daemon_http_call_abandon(c);
		return MHD_NO;
	}
	call->is_suspended = true;
	daemon_http_set_state(c, HTTP_BUSY);
	MHD_suspend_connection(c->mhd);
	return MHD_YES;
}

enum MHD_Result daemon_http_call(struct http_connection *c, json_t *body, json_t *query)
{
	struct http_call *call = calloc(1, sizeof(*call));
	struct MHD_Response *answer;
	unsigned int status;

	if (!call)
		return MHD_NO;
	call->c = c;
	call->peer = c->peer;
	call->call.peer = &call->peer;
	call->call.peer_pidfd = c->peer.is_local ? daemon_access_pidfd(c->fd) : -1;
	call->call.done = handle_done;
	c->request.call = call;
	c->request.route->change(c->http->manager, &call->call, c, body, query);
	if (!call->is_done)
		return suspend(c, call);
	answer = finish(c, &status);
	return daemon_http_send(c, status, answer);
}
