/* SPDX-License-Identifier: MIT */
/*
 * What the files of the HTTP layer share.
 *
 * A connection has one request at a time.  MHD calls the handler (http_connection.c) when the headers are there, for each piece of the
 * body, and when it is complete; what comes later (a call of the manager's, an event) suspends the connection, and the
 * handler is called once more when it was resumed.  While a connection is suspended MHD does not look at its socket: a source
 * of ours (http_connection.gone) does.
 */
#ifndef DAEMON_HTTP_PRIV_H
#define DAEMON_HTTP_PRIV_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/access.h"
#include "daemon/http.h"

#define HTTP_MAX_BODY (64u << 10)	/* bytes */
#define HTTP_MAX_DISCARD (1u << 20)	/* bytes of a body that is too large, until its answer can be sent */
#define HTTP_MAX_DEPTH 32		/* of JSON */
#define HTTP_MAX_WORDS 6		/* of a path */
#define HTTP_WORD_SIZE 128		/* bytes of a word of a path, decoded, and its NUL */
#define HTTP_NR_LISTENERS 3		/* Unix, TCP of the configuration, TCP of systemd */
#define HTTP_EVENTS_KEPT 1024u
#define HTTP_EVENTS_MAX_BYTES (4u << 20)
#define HTTP_STATUS_LIMIT 600

struct http_connection;
struct http_call;   /* http_call.c */
struct http_stream; /* http_events.c */
struct http_events; /* http_events.c */

enum http_state {
	HTTP_IDLE,   /* kept, between two requests */
	HTTP_HEAD,   /* a request comes: from the connection's or the request's start until its body is complete */
	HTTP_BUSY,   /* the manager has it; suspended */
	HTTP_ANSWER, /* the answer goes */
	HTTP_STREAM, /* events */
};

/* Times in microseconds, after which a client is too slow. */
struct http_limits {
	uint64_t head, idle, answer, keep_alive;
	unsigned int connections;
};

/* One method of one path. Exactly one of read, change and raw is set. */
struct http_route {
	const char *method; /* GET is HEAD, too */
	const char *path;   /* "*": any word */
	const char *query;  /* words that may stand behind the "?", between blanks; NULL: none ("pretty" always may) */
	enum daemon_right right;
	unsigned int status; /* when it was done */
	bool has_body;	     /* a JSON object must come */
	int (*read)(struct http_connection *c, json_t **ret, struct trn_error *err);
	void (*change)(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query);
	enum MHD_Result (*raw)(struct http_connection *c);
};

/* A path, decoded: of "/v1/devices/X" the words are "v1", "devices", "X". */
struct http_path {
	unsigned int nr;
	char words[HTTP_MAX_WORDS][HTTP_WORD_SIZE];
};

struct http_request {
	bool has_begun, is_dispatched, is_head, is_gone;
	const struct http_route *route;
	const char *method, *url; /* MHD's; url is still encoded */
	struct http_path path;
	char *body; /* NULL: none */
	size_t body_len, body_size;
	bool is_too_large;
	struct http_call *call;	     /* the manager has it, or has just answered */
	struct MHD_Response *answer; /* made while the connection was suspended */
	unsigned int status;
};

struct http_connection {
	struct base_list node; /* in daemon_http.connections: who was quiet for longest comes first */
	struct daemon_http *http;
	struct MHD_Connection *mhd;
	int fd;
	enum http_state state;
	uint64_t since;	 /* of the state; CLOCK_MONOTONIC, us */
	bool is_closing; /* shut down by us, not closed yet */
	struct daemon_peer peer;
	unsigned int access_generation; /* of peer.right; 0: not known yet */
	struct http_request request;
	struct http_stream *stream;
	sd_event_source *gone; /* while suspended, or a stream */
};

struct http_listener {
	int fd; /* -1: none */
	bool is_local;
	bool is_passed; /* by systemd: its file is not ours */
	char *place;	/* path, or ADDRESS:PORT */
	sd_event_source *source;
};

struct daemon_http {
	sd_event *event;
	struct daemon *manager;
	struct daemon_access access;
	struct http_limits limits;
	struct MHD_Daemon *mhd;
	sd_event_source *ready;	 /* MHD's epoll descriptor */
	sd_event_source *again;	 /* MHD has more to do */
	sd_event_source *sweep;	 /* looks for slow clients, while there are any */
	struct http_listener listeners[HTTP_NR_LISTENERS];
	int spare_fd; /* given up to refuse somebody when there are no descriptors left */
	struct base_list connections;
	unsigned int nr_connections, nr_closing;
	struct http_connection *adding; /* within MHD_add_connection() */
	struct http_events *events;
	struct MHD_Response *page, *openapi;
	uint64_t answered[HTTP_STATUS_LIMIT]; /* by status */
	uint64_t nr_accepted, nr_refused;
};

/* Made at build time of page/index.html and openapi.json (page/embed.py). */
struct http_document {
	const char *data;
	size_t len;
	const char *type;
	const char *policy; /* Content-Security-Policy; NULL: none */
};
extern const struct http_document daemon_http_page_document, daemon_http_openapi_document;

/* --- http_listen.c --- */
int daemon_http_listen(struct daemon_http *http, const struct daemon_config *config, struct trn_error *err);
void daemon_http_relisten(struct daemon_http *http, const struct daemon_config *config);
void daemon_http_unlisten(struct daemon_http *http);

/* --- http_connection.c --- */
struct http_connection *daemon_http_connection_create(struct daemon_http *http, int fd, bool is_local);
void daemon_http_connection_destroy(struct http_connection *c);
void daemon_http_set_state(struct http_connection *c, enum http_state state);
/* The rest follows when MHD sees it. */
void daemon_http_connection_close(struct http_connection *c);
/* Closes those that are too slow; run by a timer. */
void daemon_http_sweep(struct daemon_http *http);
/* Makes room by closing an idle one. */
bool daemon_http_close_idle(struct daemon_http *http);
/* The handler, or the reader of its answer, is called again in the next turn of the loop. */
void daemon_http_resume(struct http_connection *c);
/* Calls fn when the client has gone; until daemon_http_unwatch(). Return: 0 or -errno. */
int daemon_http_watch(struct http_connection *c, sd_event_io_handler_t fn);
void daemon_http_unwatch(struct http_connection *c);

/* --- http_request.c: MHD's callbacks --- */
enum MHD_Result daemon_http_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
				   const char *data, size_t *data_len, void **request);
void *daemon_http_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
void daemon_http_complete(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode why);

/* --- http_route.c --- */
/* Return: 0; -EINVAL (a "%" that means nothing, a NUL); -ENOENT (no path of ours is so long). */
int daemon_http_split_path(const char *url, struct http_path *ret);
/* NULL: no such path, or no such method; then *ret_allow (an empty string: no such path) has those that there are. */
const struct http_route *daemon_http_find_route(const struct http_path *path, const char *method, char *ret_allow, size_t len);
/* In place; is_query: "+" is a blank. Return: 0 or -EINVAL. */
int daemon_http_decode(char *text, bool is_query);
/* All routes, as "METHOD PATH", one a line; for tests. malloc'ed. */
char *daemon_http_list_routes(void);

/* --- http_body.c --- */
/* Takes a piece of the body. false: give up on this client. */
bool daemon_http_body_add(struct http_request *r, const char *data, size_t len);
/* The object in the body. *ret: a new reference; NULL: there is no body. Return: 0 or -EINVAL. */
int daemon_http_body_parse(const struct http_request *r, json_t **ret, struct trn_error *err);
void daemon_http_body_free(struct http_request *r);
/* Does the client send JSON, as far as its headers tell? */
bool daemon_http_body_is_json(struct MHD_Connection *mhd);

/* --- http_query.c --- */
/* One word of the query, decoded into buf. Return: 1; 0: not there; -EINVAL: it is longer than len, or badly encoded. */
int daemon_http_query_get(struct http_connection *c, const char *key, char *buf, size_t len);
/* All but "pretty", as strings; refuses words that the route does not know. *ret: NULL: none. Return: 0, -EINVAL, -ENOMEM. */
int daemon_http_query_parse(struct http_connection *c, json_t **ret, struct trn_error *err);
bool daemon_http_query_has(struct http_connection *c, const char *key);

/* --- http_call.c --- */
enum MHD_Result daemon_http_call(struct http_connection *c, json_t *body, json_t *query);
/* The client has gone, or the daemon ends: the manager is told, and the connection can be destroyed. */
void daemon_http_call_abandon(struct http_connection *c);

/* --- http_answer.c --- */
unsigned int daemon_http_status_of(int code);
/* json is taken over; NULL: no body. Return: NULL: no memory. */
struct MHD_Response *daemon_http_make_answer(struct http_connection *c, json_t *json);
struct MHD_Response *daemon_http_make_error(struct http_connection *c, const struct trn_error *err);
/* Queues it and drops our reference; NULL closes the connection. */
enum MHD_Result daemon_http_send(struct http_connection *c, unsigned int status, struct MHD_Response *answer);
enum MHD_Result daemon_http_send_error(struct http_connection *c, unsigned int status, const struct trn_error *err);
struct MHD_Response *daemon_http_make_document(const struct http_document *document);
/* The body of the answer to those who are too many. */
extern const char daemon_http_too_many[];

/* --- http_events.c --- */
int daemon_http_events_create(struct daemon_http *http, struct trn_error *err);
void daemon_http_events_destroy(struct daemon_http *http);
enum MHD_Result daemon_http_send_events(struct http_connection *c);
void daemon_http_stream_destroy(struct http_stream *s);
uint64_t daemon_http_events_count(const struct daemon_http *http);
unsigned int daemon_http_events_streams(const struct daemon_http *http);

/* --- metrics.c --- */
enum MHD_Result daemon_http_send_metrics(struct http_connection *c);

#endif
