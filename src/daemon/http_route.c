/* SPDX-License-Identifier: MIT */
/* Which methods of which paths there are; openapi.json describes the same, and a test compares the two. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http_priv.h"

/* ------------------------------------------------------------ reading */

static const char *word(const struct http_connection *c, unsigned int i)
{
	return c->request.path.words[i];
}

/* A name that is too long or no text is one that nothing has. */
static int read_about(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_about(c->http->manager, &c->peer, ret, err);
}

static int read_parents(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_parents(c->http->manager, &c->peer, NULL, ret, err);
}

static int read_parent(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_parents(c->http->manager, &c->peer, word(c, 2), ret, err);
}

static int read_schedule(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_schedule(c->http->manager, &c->peer, word(c, 2), ret, err);
}

static int read_types(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	char parent[HTTP_WORD_SIZE];
	int r = daemon_http_query_get(c, "parent", parent, sizeof(parent));

	if (r < 0) {
		trn_error_set(err, -EINVAL, "BadQuery", "\"parent\" behind the \"?\" is not a parent's name");
		return trn_error_hint(err, "list the parents to see which there are");
	}
	return daemon_get_types(c->http->manager, &c->peer, r ? parent : NULL, NULL, ret, err);
}

static int read_type(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_types(c->http->manager, &c->peer, word(c, 2), word(c, 3), ret, err);
}

static int read_definitions(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_definitions(c->http->manager, &c->peer, NULL, ret, err);
}

static int read_definition(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_definitions(c->http->manager, &c->peer, word(c, 2), ret, err);
}

static int read_devices(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_devices(c->http->manager, &c->peer, NULL, ret, err);
}

static int read_device(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	return daemon_get_devices(c->http->manager, &c->peer, word(c, 2), ret, err);
}

static int read_history(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	char uuid[HTTP_WORD_SIZE];
	int r = daemon_http_query_get(c, "uuid", uuid, sizeof(uuid));

	if (r < 0) {
		trn_error_set(err, -EINVAL, "BadQuery", "\"uuid\" behind the \"?\" is not a UUID");
		return trn_error_hint(err, "list the devices to see which there are");
	}
	return daemon_get_history(c->http->manager, &c->peer, r ? uuid : NULL, ret, err);
}

/* ----------------------------------------------------------- changing */

static void post_parent(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_post_parent(d, call, body);
}

static void delete_parent(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_delete_parent(d, call, word(c, 2), query);
}

static void patch_schedule(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_patch_schedule(d, call, word(c, 2), body);
}

static void post_definition(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_post_definition(d, call, body);
}

static void patch_definition(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_patch_definition(d, call, word(c, 2), body);
}

static void delete_definition(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_delete_definition(d, call, word(c, 2));
}

static void start_definition(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_start_definition(d, call, word(c, 2));
}

static void post_device(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_post_device(d, call, body);
}

static void patch_device(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_patch_device(d, call, word(c, 2), body);
}

static void delete_device(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_delete_device(d, call, word(c, 2), query);
}

static void post_reload(struct daemon *d, struct daemon_call *call, struct http_connection *c, json_t *body, json_t *query)
{
	daemon_post_reload(d, call);
}

/* ---------------------------------------------------------- documents */

/* Our own reference stays. */
static enum MHD_Result send_document(struct http_connection *c, struct MHD_Response *document)
{
	c->http->answered[MHD_HTTP_OK]++;
	return MHD_queue_response(c->mhd, MHD_HTTP_OK, document);
}

static enum MHD_Result send_page(struct http_connection *c)
{
	return send_document(c, c->http->page);
}

static enum MHD_Result send_openapi(struct http_connection *c)
{
	return send_document(c, c->http->openapi);
}

static const struct http_route routes[] = {
	{ "GET", "/v1", NULL, DAEMON_READ, 200, .read = read_about },
	{ "GET", "/v1/parents", NULL, DAEMON_READ, 200, .read = read_parents },
	{ "POST", "/v1/parents", NULL, DAEMON_ADMIN, 201, true, .change = post_parent },
	{ "GET", "/v1/parents/*", NULL, DAEMON_READ, 200, .read = read_parent },
	{ "DELETE", "/v1/parents/*", "policy timeout_ms", DAEMON_ADMIN, 204, .change = delete_parent },
	{ "GET", "/v1/parents/*/schedule", NULL, DAEMON_READ, 200, .read = read_schedule },
	{ "PATCH", "/v1/parents/*/schedule", NULL, DAEMON_ADMIN, 200, true, .change = patch_schedule },
	{ "GET", "/v1/types", "parent", DAEMON_READ, 200, .read = read_types },
	{ "GET", "/v1/types/*/*", NULL, DAEMON_READ, 200, .read = read_type },
	{ "GET", "/v1/definitions", NULL, DAEMON_READ, 200, .read = read_definitions },
	{ "POST", "/v1/definitions", NULL, DAEMON_USE, 201, true, .change = post_definition },
	{ "GET", "/v1/definitions/*", NULL, DAEMON_READ, 200, .read = read_definition },
	{ "PATCH", "/v1/definitions/*", NULL, DAEMON_USE, 200, true, .change = patch_definition },
	{ "DELETE", "/v1/definitions/*", NULL, DAEMON_USE, 204, .change = delete_definition },
	{ "POST", "/v1/definitions/*/start", NULL, DAEMON_USE, 201, .change = start_definition },
	{ "GET", "/v1/devices", NULL, DAEMON_READ, 200, .read = read_devices },
	{ "POST", "/v1/devices", NULL, DAEMON_USE, 201, true, .change = post_device },
	{ "GET", "/v1/devices/*", NULL, DAEMON_READ, 200, .read = read_device },
	{ "PATCH", "/v1/devices/*", NULL, DAEMON_USE, 200, true, .change = patch_device },
	{ "DELETE", "/v1/devices/*", "policy timeout_ms", DAEMON_USE, 204, .change = delete_device },
	{ "GET", "/v1/history", "uuid", DAEMON_READ, 200, .read = read_history },
	{ "GET", "/v1/events", "since", DAEMON_READ, 200, .raw = daemon_http_send_events },
	{ "POST", "/v1/reload", NULL, DAEMON_ADMIN, 204, .change = post_reload },
	{ "GET", "/metrics", NULL, DAEMON_READ, 200, .raw = daemon_http_send_metrics },
	{ "GET", "/openapi.json", NULL, DAEMON_READ, 200, .raw = send_openapi },
	{ "GET", "/", NULL, DAEMON_READ, 200, .raw = send_page },
};
#define NR_ROUTES (sizeof(routes) / sizeof(routes[0]))

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int daemon_http_decode(char *text, bool is_query)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = is_query && *from == '+' ? ' ' : *from;
			continue;
		}
		high = digit_of(from[1]);
		low = high < 0 ? -1 : digit_of(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

/* "http://host/path": what a proxy would be sent. */
static const char *skip_authority(const char *url)
{
	static const char scheme[] = "http://";

	if (strncmp(url, scheme, strlen(scheme)))
		return url;
	url = strchr(url + strlen(scheme), '/');
	return url ? url : "/";
}

/* Everything else is to be encoded; and what is logged as it came must not steer a terminal. */
static bool is_plain(const char *url)
{
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	return true;
}

int daemon_http_split_path(const char *url, struct http_path *ret)
{
	const char *p = skip_authority(url);

	ret->nr = 0;
	if (!is_plain(url))
		return -EINVAL;
	if (*p != '/')
		return -ENOENT;
	if (!p[1])
		return 0;
	while (*p) {
		size_t len = strcspn(++p, "/");

		if (len >= HTTP_WORD_SIZE || ret->nr == HTTP_MAX_WORDS)
			return -ENOENT;
		memcpy(ret->words[ret->nr], p, len);
		ret->words[ret->nr][len] = '\0';
		if (daemon_http_decode(ret->words[ret->nr++], false) < 0)
			return -EINVAL;
		p += len;
	}
	return 0;
}

static bool matches(const char *pattern, const struct http_path *path)
{
	const char *p = pattern + 1;

	for (unsigned int i = 0; i < path->nr; i++) {
		size_t len = strcspn(p, "/");
		bool is_any = len == 1 && *p == '*';
		const char *w = path->words[i];

		if (!len || !w[0] || (!is_any && (strncmp(p, w, len) || w[len])))
			return false;
		p += len + (p[len] == '/');
	}
	return !*p;
}

static void add_method(char *list, size_t len, const char *method)
{
	size_t used = strlen(list);

	snprintf(list + used, len - used, "%s%s%s", used ? ", " : "", method, strcmp(method, "GET") ? "" : ", HEAD");
}

const struct http_route *daemon_http_find_route(const struct http_path *path, const char *method, char *ret_allow, size_t len)
{
	if (!strcmp(method, "HEAD"))
		method = "GET";
	ret_allow[0] = '\0';
	for (size_t i = 0; i < NR_ROUTES; i++) {
		if (!matches(routes[i].path, path))
			continue;
		if (!strcmp(routes[i].method, method))
			return &routes[i];
		add_method(ret_allow, len, routes[i].method);
	}
	return NULL;
}

char *daemon_http_list_routes(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < NR_ROUTES; i++)
		fprintf(f, "%s %s\n", routes[i].method, routes[i].path);
	return fclose(f) == 0 ? text : NULL;
}
