/* SPDX-License-Identifier: MIT */
/* tranche show: all about a device, a definition, a parent, or tranched. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/verbs.h"

static const struct ctl_option options[] = {
	{ 'u', "uuid", "UUID", "a device, or a definition" },
	{ 'd', "defined", NULL, "its definition, also when it runs" },
	{ 0 },
};

/* What a value is, by its name. */
static const char *text_of(const char *key, json_t *value, char buf[CTL_TEXT])
{
	static const char *const sizes[] = { "memory", "used", "peak", "granted", "behind" };
	size_t len = strlen(key);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcmp(key, sizes[i]))
			return ctl_text_size(value, buf);
	if (!strcmp(key, "time") && json_is_number(value))
		return ctl_text_percent(value, buf);
	if (!strcmp(key, "share") || !strcmp(key, "use"))
		return ctl_text_share(value, buf);
	if (!strcmp(key, "started"))
		return ctl_text_time(value, buf);
	if (len > 3 && !strcmp(key + len - 3, "_ns"))
		return ctl_text_duration(value, buf);
	return ctl_text_any(value, buf);
}

/* "busy_ns" -> "busy" */
static void print_key(const char *key, int indent)
{
	size_t len = strlen(key);
	char name[40];

	if (len > 3 && !strcmp(key + len - 3, "_ns"))
		len -= 3;
	snprintf(name, sizeof(name), "%.*s", (int)len, key);
	for (char *s = name; *s; s++)
		if (*s == '_')
			*s = ' ';
	printf("%*s%-*s", indent, "", 18 - indent, name);
}

static void print_object(json_t *o, int indent);

static void print_list(const char *key, json_t *list, int indent)
{
	json_t *value;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	print_key(key, indent);
	json_array_foreach(list, i, value) {
		if (json_is_string(value)) {
			printf(" %s", json_string_value(value));
			continue;
		}
		putchar('\n');
		print_object(value, indent + 2);
	}
	if (json_is_string(json_array_get(list, 0)))
		putchar('\n');
}

static void print_object(json_t *o, int indent)
{
	char text[CTL_TEXT];
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value) {
		if (json_is_array(value)) {
			print_list(key, value, indent);
		} else if (!strcmp(key, "capacity") || !strcmp(key, "left") || !strcmp(key, "cost")) {
			print_key(key, indent);
			printf(" %s\n", ctl_text_resources(value, text));
		} else if (json_is_object(value)) {
			if (json_object_size(value) == 0)
				continue;
			print_key(key, indent);
			putchar('\n');
			print_object(value, indent + 2);
		} else if (*text_of(key, value, text)) {
			print_key(key, indent);
			/* Never cut: a socket's path may be long. */
			printf(" %s\n", json_is_string(value) && strcmp(key, "started") ? json_string_value(value) : text);
		}
	}
}

static int show(struct ctl *c, json_t *o)
{
	int r;

	if (ctl_has(c, CTL_JSON)) {
		r = ctl_print_json(c, o);
	} else {
		print_object(o, 0);
		r = ctl_flush(c);
	}
	json_decref(o);
	return r;
}

static int get_device(struct ctl *c, const char *uuid, json_t **ret)
{
	int r = -ENOENT;

	if (!ctl_has(c, 'd'))
		r = ctl_get(c, api_path("/v1/devices/", uuid, NULL), ret);
	if (r != -ENOENT || api_is_no_daemon(&c->err))
		return r;
	memset(&c->err, 0, sizeof(c->err));
	r = ctl_get(c, api_path("/v1/definitions/", uuid, NULL), ret);
	if (r != -ENOENT || api_is_no_daemon(&c->err))
		return r;
	memset(&c->err, 0, sizeof(c->err));
	trn_error_set(&c->err, -ENOENT, "NoSuchDevice", "there is no device %s, neither running nor defined", uuid);
	return trn_error_hint(&c->err, "see \"tranche list\" and \"tranche list -d\"");
}

/* A word is a parent's name, or the beginning of a UUID. */
static int get_named(struct ctl *c, const char *word, json_t **ret)
{
	char uuid[CTL_UUID_TEXT];
	int r = -ENOENT;

	if (!ctl_is_uuid(word)) {
		r = ctl_get(c, api_path("/v1/parents/", word, NULL), ret);
		if (r != -ENOENT || api_is_no_daemon(&c->err))
			return r;
	}
	memset(&c->err, 0, sizeof(c->err));
	r = ctl_find_uuid(c, word, ctl_has(c, 'd') ? CTL_DEFINITIONS : CTL_EITHER, uuid);
	if (r == -EINVAL) {
		memset(&c->err, 0, sizeof(c->err));
		trn_error_set(&c->err, -ENOENT, "NoSuchThing", "there is no parent and no device %.60s", word);
		return trn_error_hint(&c->err, "see \"tranche list --tree\"");
	}
	return r ? r : get_device(c, uuid, ret);
}

static int verb_show(struct ctl *c)
{
	const char *word = ctl_value(c, 'u');
	json_t *o = NULL;
	int r;

	if (word && c->nr_words)
		return ctl_usage(c, "one device at a time: %.60s and %.60s are given", word, c->words[0]);
	if (!word && c->nr_words)
		word = c->words[0];
	r = word ? get_named(c, word, &o) : ctl_get(c, api_path("/v1", NULL), &o);
	return r ? r : show(c, o);
}

const struct ctl_verb ctl_verb_show = {
	.name = "show",
	.words = "[UUID|PARENT]",
	.summary = "show all about a device, a parent, or tranched",
	.options = options,
	.most_words = 1,
	.completes = "things",
	.run = verb_show,
};
