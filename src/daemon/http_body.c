/* SPDX-License-Identifier: MIT */
/* The body of a request: bounded, and JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/http_priv.h"

#define FIRST_SIZE 1024

static bool grow(struct http_request *r, size_t needed)
{
	size_t size = r->body_size ? r->body_size : FIRST_SIZE;
	char *body;

	while (size < needed)
		size *= 2;
	if (size == r->body_size)
		return true;
	body = realloc(r->body, size);
	if (!body)
		return false;
	r->body = body;
	r->body_size = size;
	return true;
}

bool daemon_http_body_add(struct http_request *r, const char *data, size_t len)
{
	if (len > HTTP_MAX_DISCARD - r->body_len)
		return false;
	if (r->is_too_large || r->body_len + len > HTTP_MAX_BODY) {
		/* Read on, so that the client gets as far as reading its answer. */
		r->is_too_large = true;
		r->body_len += len;
		return true;
	}
	if (!grow(r, r->body_len + len))
		return false;
	memcpy(r->body + r->body_len, data, len);
	r->body_len += len;
	return true;
}

void daemon_http_body_free(struct http_request *r)
{
	free(r->body);
	r->body = NULL;
	r->body_len = r->body_size = 0;
}

/* The parser calls itself for each level; ours need four. */
static bool is_too_deep(const char *text, size_t len)
{
	unsigned int depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string && (c == '{' || c == '['))
			depth++;
		else if (!is_string && (c == '}' || c == ']') && depth)
			depth--;
		if (depth > HTTP_MAX_DEPTH)
			return true;
	}
	return false;
}

static int refuse(struct trn_error *err, const char *text)
{
	trn_error_set(err, -EINVAL, "BadJson", "the request's body %s", text);
	return trn_error_hint(err, "one JSON object, as /openapi.json describes it");
}

static int refuse_syntax(struct trn_error *err, const json_error_t *why)
{
	char text[JSON_ERROR_TEXT_LENGTH];

	/* The parser quotes what it met. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (why->text[i] > 0 && why->text[i] < ' ') ? ' ' : why->text[i];
	text[sizeof(text) - 1] = '\0';
	trn_error_set(err, -EINVAL, "BadJson", "the request's body is not JSON: line %d, column %d: %s", why->line, why->column, text);
	return trn_error_hint(err, "one JSON object, as /openapi.json describes it");
}

int daemon_http_body_parse(const struct http_request *r, json_t **ret, struct trn_error *err)
{
	json_error_t why;
	json_t *json;

	if (!r->body_len) {
		*ret = NULL;
		return 0;
	}
	if (is_too_deep(r->body, r->body_len))
		return refuse(err, "is nested too deeply");
	json = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return refuse_syntax(err, &why);
	if (!json_is_object(json)) {
		json_decref(json);
		return refuse(err, "is not a JSON object");
	}
	*ret = json;
	return 0;
}

/* "application/json", and nothing or a parameter. */
bool daemon_http_body_is_json(struct MHD_Connection *mhd)
{
	static const char wanted[] = "application/json";
	const char *type = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	const char *coding = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_ENCODING);

	if (coding && strcasecmp(coding, "identity"))
		return false;
	return !type || (!strncasecmp(type, wanted, strlen(wanted)) && strchr("; \t", type[strlen(wanted)]));
}
