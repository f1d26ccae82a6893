/* SPDX-License-Identifier: MIT */
/* What goes back: JSON, and refusals with a status that fits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http_priv.h"

#define JSON_TYPE "application/json"

const char daemon_http_too_many[] =
	"{\"error\":{\"name\":\"TooManyConnections\",\"message\":\"tranched has as many connections as it may have\","
	"\"hint\":\"close some, or raise max-connections in tranched.conf\",\"errno\":\"EAGAIN\"}}\n";

unsigned int daemon_http_status_of(int code)
{
	static const struct {
		int error;
		unsigned int status;
	} table[] = {
		{ EINVAL, 400 },    { EACCES, 403 },	{ EPERM, 403 },	 { ENOENT, 404 }, { EEXIST, 409 },   { EBUSY, 409 },
		{ EAGAIN, 409 },    { EALREADY, 409 },	{ ENODEV, 410 }, { E2BIG, 413 },  { EMSGSIZE, 413 }, { ECANCELED, 499 },
		{ EOPNOTSUPP, 501 }, { ETIMEDOUT, 504 }, { EUSERS, 507 }, { ENOSPC, 507 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == -code)
			return table[i].status;
	return 500;
}

static struct MHD_Response *add_common(struct MHD_Response *answer, const char *type)
{
	if (!answer)
		return NULL;
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
	return answer;
}

/* With a newline at its end, for those who read it on a terminal. */
static char *print(json_t *json, bool is_pretty, size_t *ret_len)
{
	char *text = json_dumps(json, JSON_REAL_PRECISION(9) | (is_pretty ? JSON_INDENT(2) : JSON_COMPACT)), *longer;
	size_t len = text ? strlen(text) : 0;

	*ret_len = len;
	longer = text ? realloc(text, len + 1) : NULL;
	if (!longer)
		return text;
	longer[len] = '\n';
	*ret_len = len + 1;
	return longer;
}

struct MHD_Response *daemon_http_make_answer(struct http_connection *c, json_t *json)
{
	struct MHD_Response *answer;
	size_t len = 0;
	char *text;

	if (!json)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	text = print(json, daemon_http_query_has(c, "pretty"), &len);
	json_decref(json);
	if (!text)
		return NULL;
	answer = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!answer)
		free(text);
	return add_common(answer, JSON_TYPE);
}

/* A name from a hostile path may be no text; it is cut in a struct trn_error, too. */
static json_t *make_text(const char *text)
{
	json_t *json = json_string(text);
	char plain[sizeof(((struct trn_error *)0)->text)];
	size_t i;

	if (json)
		return json;
	for (i = 0; text[i] && i < sizeof(plain) - 1; i++)
		plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	plain[i] = '\0';
	return json_string(plain);
}

/* Whoever refuses knows best; this is for who had nothing to say. */
static const char *hint_for(int code)
{
	return code == EINVAL ? "/openapi.json describes every request" : "try again; the log of tranched may say more";
}

struct MHD_Response *daemon_http_make_error(struct http_connection *c, const struct trn_error *err)
{
	int code = err->code ? -err->code : EIO;
	const char *number = strerrorname_np(code);
	json_t *json = json_pack("{s:{s:s,s:o,s:o,s:s}}", "error", "name", err->name ? err->name : "Failed",
				 "message", make_text(err->text[0] ? err->text : strerror(code)),
				 "hint", make_text(err->hint[0] ? err->hint : hint_for(code)), "errno", number ? number : "EIO");

	return json ? daemon_http_make_answer(c, json) : NULL;
}

enum MHD_Result daemon_http_send(struct http_connection *c, unsigned int status, struct MHD_Response *answer)
{
	enum MHD_Result r = answer ? MHD_queue_response(c->mhd, status, answer) : MHD_NO;

	if (answer)
		MHD_destroy_response(answer);
	if (r == MHD_YES && status < HTTP_STATUS_LIMIT)
		c->http->answered[status]++;
	return r;
}

enum MHD_Result daemon_http_send_error(struct http_connection *c, unsigned int status, const struct trn_error *err)
{
	return daemon_http_send(c, status, daemon_http_make_error(c, err));
}

/* A document never changes while the program runs; a browser asks again after an upgrade. */
struct MHD_Response *daemon_http_make_document(const struct http_document *document)
{
	/* The library's parameter is not const, and it does not write to what is persistent. */
	struct MHD_Response *answer =
		MHD_create_response_from_buffer(document->len, (void *)(uintptr_t)document->data, MHD_RESPMEM_PERSISTENT);

	add_common(answer, document->type);
	if (answer && document->policy) {
		MHD_add_response_header(answer, "Content-Security-Policy", document->policy);
		MHD_add_response_header(answer, "Referrer-Policy", "no-referrer");
		MHD_add_response_header(answer, "Cross-Origin-Opener-Policy", "same-origin");
	}
	return answer;
}
