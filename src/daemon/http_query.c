/* SPDX-License-Identifier: MIT */
/* What stands behind the "?". */
#include <errno.h>
#include <string.h>

#include "daemon/http_priv.h"

#define KEY_SIZE 32
#define VALUE_SIZE 256

/* One pass over the query, in order. */
struct search {
	struct http_connection *c;
	const char *key; /* looked for */
	char *buf;
	size_t len;
	json_t *all; /* or: all of them */
	int r;
	struct trn_error *err;
};

/* Copies, since MHD's text is also what is logged. */
static bool decode_to(const char *text, char *buf, size_t len)
{
	size_t n = text ? strlen(text) : 0;

	if (n >= len)
		return false;
	memcpy(buf, text ? text : "", n + 1);
	return daemon_http_decode(buf, true) == 0;
}

static enum MHD_Result find_one(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct search *s = cls;
	char name[KEY_SIZE];

	if (!decode_to(key, name, sizeof(name)) || strcmp(name, s->key))
		return MHD_YES;
	s->r = !s->buf || decode_to(value, s->buf, s->len) ? 1 : -EINVAL;
	return MHD_NO;
}

int daemon_http_query_get(struct http_connection *c, const char *key, char *buf, size_t len)
{
	struct search s = { .c = c, .key = key, .buf = buf, .len = len };

	MHD_get_connection_values(c->mhd, MHD_GET_ARGUMENT_KIND, find_one, &s);
	return s.r;
}

bool daemon_http_query_has(struct http_connection *c, const char *key)
{
	return daemon_http_query_get(c, key, NULL, 0) > 0;
}

/* Is it one of the words in list, which are separated by blanks? */
static bool is_listed(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p && len && (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct search *s = cls;
	char name[KEY_SIZE], text[VALUE_SIZE];
	const char *known = s->c->request.route->query;

	if (!decode_to(key, name, sizeof(name)) || !decode_to(value, text, sizeof(text))) {
		trn_error_set(s->err, -EINVAL, "BadQuery", "a word behind the \"?\" is too long or badly encoded");
		s->r = trn_error_hint(s->err, "write what is no letter or digit as %%XX");
	} else if (!strcmp(name, "pretty"))
		return MHD_YES;
	else if (!is_listed(known, name)) {
		trn_error_set(s->err, -EINVAL, "UnknownQuery", "there is no \"%s\" behind the \"?\" of this request", name);
		s->r = trn_error_hint(s->err, "known: %s%spretty", known ? known : "", known ? " " : "");
	} else if (json_object_get(s->all, name)) {
		trn_error_set(s->err, -EINVAL, "BadQuery", "\"%s\" stands twice behind the \"?\"", name);
		s->r = trn_error_hint(s->err, "say it once");
	} else if (json_object_set_new(s->all, name, json_string(text)) < 0) {
		trn_error_set(s->err, -EINVAL, "BadQuery", "\"%s\" behind the \"?\" is not text in UTF-8", name);
		s->r = trn_error_hint(s->err, "encode UTF-8, each byte as %%XX");
	}
	return s->r < 0 ? MHD_NO : MHD_YES;
}

int daemon_http_query_parse(struct http_connection *c, json_t **ret, struct trn_error *err)
{
	struct search s = { .c = c, .err = err };

	*ret = NULL;
	/* Nearly always. */
	if (MHD_get_connection_values(c->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL) <= 0)
		return 0;
	s.all = json_object();
	if (!s.all)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the request");
	MHD_get_connection_values(c->mhd, MHD_GET_ARGUMENT_KIND, collect, &s);
	if (s.r < 0 || !json_object_size(s.all))
		json_decref(s.all);
	else
		*ret = s.all;
	return s.r;
}
