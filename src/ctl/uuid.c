/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "ctl/ctl.h"

#define WHOLE (CTL_UUID_TEXT - 1)
#define SHORTEST 4

/* How much of text looks like the beginning of a UUID. */
static size_t fitting(const char *text)
{
	size_t i;

	for (i = 0; i < WHOLE && text[i]; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			break;
	}
	return i;
}

bool ctl_is_uuid(const char *text)
{
	return fitting(text) == WHOLE && !text[WHOLE];
}

/* More than one match is an error; the same UUID among devices and definitions is one. */
static int search(struct ctl *c, const char *kind, const char *start, char ret[CTL_UUID_TEXT])
{
	json_t *list, *o;
	size_t i;
	int r = ctl_get_list(c, kind, &list);

	if (r < 0)
		return r;
	json_array_foreach(list, i, o) {
		const char *uuid = json_string_value(json_object_get(o, "uuid"));

		if (!uuid || strlen(uuid) != WHOLE || strncmp(uuid, start, strlen(start)) || !strcmp(ret, uuid))
			continue;
		if (ret[0]) {
			trn_error_set(&c->err, -EEXIST, "SeveralMatch", "%s could be %s or %s", start, ret, uuid);
			r = trn_error_hint(&c->err, "give more of it");
			break;
		}
		memcpy(ret, uuid, CTL_UUID_TEXT);
	}
	json_decref(list);
	return r;
}

static int no_uuid(struct ctl *c, const char *text)
{
	trn_error_set(&c->err, -EINVAL, "NoUuid", "\"%.60s\" is no%s UUID", text, fitting(text) == strlen(text) ? " whole" : "");
	return trn_error_hint(&c->err, "a UUID looks like 7f3c0a52-6f5b-4c56-9d2c-0a1b2c3d4e5f; "
				       "\"tranche list\" and \"tranche list -d\" show them");
}

int ctl_find_uuid(struct ctl *c, const char *text, enum ctl_among among, char ret[CTL_UUID_TEXT])
{
	size_t len = strlen(text);
	char start[CTL_UUID_TEXT] = "";
	int r = 0;

	ret[0] = '\0';
	if (len > WHOLE || len < SHORTEST || fitting(text) != len)
		return no_uuid(c, text);
	for (size_t i = 0; i < len; i++)
		start[i] = (char)tolower((unsigned char)text[i]);
	if (len == WHOLE) {
		memcpy(ret, start, CTL_UUID_TEXT);
		return 0;
	}
	if (among & CTL_DEFINITIONS)
		r = search(c, "definitions", start, ret);
	if (r == 0 && (among & CTL_DEVICES))
		r = search(c, "devices", start, ret);
	if (r < 0 || ret[0])
		return r;
	trn_error_set(&c->err, -ENOENT, "NoSuchDevice", "no device%s begins with %s",
		      among == CTL_DEFINITIONS ? " that is defined" : "", start);
	return trn_error_hint(&c->err, "see \"tranche list\" and \"tranche list -d\"");
}

/* NULL: usage was told. */
static const char *given(struct ctl *c)
{
	const char *text = ctl_value(c, 'u');

	if (text && c->nr_words) {
		ctl_usage(c, "one device at a time: %.60s and %.60s are given", text, c->words[0]);
		return NULL;
	}
	if (!text && !c->nr_words) {
		ctl_usage(c, "a UUID is missing");
		return NULL;
	}
	return text ? text : c->words[0];
}

int ctl_given_uuid(struct ctl *c, enum ctl_among among, char ret[CTL_UUID_TEXT])
{
	const char *text = given(c);

	return text ? ctl_find_uuid(c, text, among, ret) : CLI_USAGE;
}

int ctl_given_whole_uuid(struct ctl *c, char ret[CTL_UUID_TEXT])
{
	const char *text = given(c);

	if (!text)
		return CLI_USAGE;
	if (!ctl_is_uuid(text))
		return no_uuid(c, text);
	return ctl_find_uuid(c, text, CTL_EITHER, ret);
}
