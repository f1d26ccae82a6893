/* SPDX-License-Identifier: MIT */
/* Values of options, as the API wants them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ctl/ctl.h"

json_t *ctl_parse_percent(const char *text)
{
	char *end;
	double n = strtod(text, &end), tenths;

	if (end == text || (strcmp(end, "") && strcmp(end, "%")) || !(n >= 0.1 && n <= 100))
		return NULL;
	tenths = round(n * 10);
	if (fabs(tenths - n * 10) > 1e-6)
		return NULL;
	return fmod(tenths, 10) == 0 ? json_integer((json_int_t)(tenths / 10)) : json_real(tenths / 10);
}

double ctl_parse_seconds(const char *text)
{
	char *end;
	double n = strtod(text, &end);

	return end != text && !*end && n >= 0 && n <= 1e6 ? n : -1;
}

static int take_memory(struct ctl *c, const char *text, json_t *body)
{
	struct trn_error err = { 0 };
	uint64_t bytes;

	if (base_size_parse(text, &bytes, &err) < 0 || bytes > INT64_MAX)
		return ctl_usage(c, "--memory wants a size such as 512M or 1.5G, not \"%.60s\"", text);
	json_object_set_new(body, "memory", json_integer((json_int_t)bytes));
	return 0;
}

static int take_time(struct ctl *c, const char *text, json_t *body)
{
	json_t *percent = ctl_parse_percent(text);

	if (!percent)
		return ctl_usage(c, "--time wants a percentage from 0.1 to 100 with at most one decimal, not \"%.60s\"", text);
	json_object_set_new(body, "time", percent);
	return 0;
}

/* A number is a user's. */
static int take_owner(struct ctl *c, const char *text, json_t *body)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && n < UINT32_MAX)
		json_object_set_new(body, "owner", json_integer((json_int_t)n));
	else if (json_object_set_new(body, "owner", json_string(text)) < 0)
		return ctl_usage(c, "--owner is no text");
	return 0;
}

static int take_vm(struct ctl *c, const char *text, json_t *body)
{
	return json_object_set_new(body, "vm", json_string(text)) < 0 ? ctl_usage(c, "--vm is no text") : 0;
}

static int take_option(struct ctl *c, const char *text, json_t *body)
{
	json_t *options = json_object_get(body, "options");
	const char *equals = strchr(text, '=');
	char key[64];

	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(key))
		return ctl_usage(c, "-o wants KEY=VALUE, not \"%.60s\"", text);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
	if (!options) {
		options = json_object();
		json_object_set_new(body, "options", options);
	}
	return json_object_set_new(options, key, json_string(equals + 1)) < 0 ? ctl_usage(c, "-o is no text") : 0;
}

int ctl_take_fields(struct ctl *c, json_t *body, bool removes)
{
	static const struct {
		int id;
		const char *name;
		int (*take)(struct ctl *c, const char *text, json_t *body);
	} fields[] = {
		{ CTL_MEMORY, "memory", take_memory }, { CTL_TIME, "time", take_time }, { CTL_OWNER, "owner", take_owner },
		{ CTL_VM, "vm", take_vm },	       { 'o', NULL, take_option },
	};
	int r = 0;

	for (size_t g = 0; r == 0 && g < c->nr_given; g++)
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			if (fields[i].id != c->given[g].id)
				continue;
			if (removes && fields[i].name && !strcmp(c->given[g].value, "none"))
				json_object_set_new(body, fields[i].name, json_null());
			else
				r = fields[i].take(c, c->given[g].value, body);
		}
	return r;
}

/* mdevctl's word for it. */
static void rename_type(json_t *o)
{
	json_t *type = json_object_get(o, "mdev_type");

	if (!type)
		return;
	json_object_set(o, "type", type);
	json_object_del(o, "mdev_type");
}

int ctl_read_jsonfile(struct ctl *c, const char *path, json_t **ret)
{
	json_error_t why;
	FILE *f = fopen(path, "re");
	json_t *o;

	if (!f)
		return trn_error_set(&c->err, -errno, "NoFile", "cannot read %.100s: %s", path, strerror(errno));
	o = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
	fclose(f);
	if (!json_is_object(o)) {
		json_decref(o);
		trn_error_set(&c->err, -EINVAL, "BadFile", "%.100s is no JSON object, line %d: %.80s", path, why.line, why.text);
		return trn_error_hint(&c->err, "it looks like {\"mdev_type\": \"compute-1g\", \"start\": \"auto\"}");
	}
	rename_type(o);
	/* What the API tells, and does not take. */
	json_object_del(o, "running");
	*ret = o;
	return 0;
}

int ctl_stop_query(struct ctl *c, char ret[64])
{
	const char *text = ctl_value(c, CTL_WAIT);
	double seconds = text ? ctl_parse_seconds(text) : 0;

	if (ctl_has(c, CTL_WAIT) && ctl_has(c, CTL_FORCE))
		return ctl_usage(c, "--wait and --force exclude each other");
	if (seconds < 0)
		return ctl_usage(c, "--wait wants a number of seconds, not \"%.60s\"", text);
	if (text)
		snprintf(ret, 64, "?policy=ask&timeout_ms=%lld", (long long)(seconds * 1000 < 1 ? 1 : seconds * 1000));
	else
		snprintf(ret, 64, "?policy=%s", ctl_has(c, CTL_WAIT) ? "ask" : ctl_has(c, CTL_FORCE) ? "force" : "refuse");
	return 0;
}
