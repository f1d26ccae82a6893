/* SPDX-License-Identifier: MIT */
#include "daemon/manager_json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *daemon_json_what(json_t *value, char *buf, size_t len)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT:
		snprintf(buf, len, "an object");
		break;
	case JSON_ARRAY:
		snprintf(buf, len, "an array");
		break;
	case JSON_STRING:
		snprintf(buf, len, "\"%.60s\"", json_string_value(value));
		break;
	case JSON_INTEGER:
		snprintf(buf, len, "the number %" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(buf, len, "the number %g", json_real_value(value));
		break;
	case JSON_TRUE:
		snprintf(buf, len, "true");
		break;
	case JSON_FALSE:
		snprintf(buf, len, "false");
		break;
	case JSON_NULL:
		snprintf(buf, len, "null");
		break;
	}
	return buf;
}

int daemon_json_refuse(struct trn_error *err, const char *field, json_t *found, const char *wants)
{
	char what[96];

	trn_error_set(err, -EINVAL, "BadField", "%.60s is %s", field, daemon_json_what(found, what, sizeof(what)));
	trn_error_hint(err, "give %s", wants);
	return -EINVAL;
}

static int check_names(json_t *body, const struct daemon_field *fields, size_t nr, unsigned int flags, struct trn_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(body, name, value) {
		size_t i = 0;

		while (i < nr && (!(fields[i].flags & flags) || strcmp(fields[i].name, name)))
			i++;
		if (i < nr)
			continue;
		trn_error_set(err, -EINVAL, "UnknownField", "there is no field \"%.60s\" here", name);
		return trn_error_hint(err, "leave it out; /openapi.json lists the fields");
	}
	return 0;
}

int daemon_json_read(json_t *body, const struct daemon_field *fields, size_t nr, unsigned int flags, void *data,
		     struct trn_error *err)
{
	int r;

	if (!json_is_object(body))
		return daemon_json_refuse(err, "the body", body, "a JSON object");
	r = check_names(body, fields, nr, flags, err);
	for (size_t i = 0; r >= 0 && i < nr; i++) {
		json_t *value = fields[i].flags & flags ? json_object_get(body, fields[i].name) : NULL;

		if (value)
			r = fields[i].read(data, fields[i].name, value, err);
	}
	return r;
}

int daemon_json_text(json_t *value, const char *name, size_t max, const char **ret, struct trn_error *err)
{
	const char *text = json_string_value(value);
	char wants[64];
	size_t len = text ? json_string_length(value) : 0;

	for (size_t i = 0; text && i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text = NULL;
	if (text && len && len <= max) {
		*ret = text;
		return 0;
	}
	snprintf(wants, sizeof(wants), "a string of 1 to %zu printable bytes", max);
	return daemon_json_refuse(err, name, value, wants);
}

int daemon_json_number(json_t *value, const char *name, uint64_t min, uint64_t max, uint64_t *ret, struct trn_error *err)
{
	json_int_t nr = json_integer_value(value);
	char wants[96];

	if (json_is_integer(value) && nr >= 0 && (uint64_t)nr >= min && (uint64_t)nr <= max) {
		*ret = (uint64_t)nr;
		return 0;
	}
	snprintf(wants, sizeof(wants), "a whole number from %" PRIu64 " to %" PRIu64, min, max);
	return daemon_json_refuse(err, name, value, wants);
}

int daemon_json_percent(json_t *value, const char *name, uint32_t *ret, struct trn_error *err)
{
	double percent = json_number_value(value);
	double thousandths = round(percent * 10);

	if (json_is_number(value) && thousandths >= 1 && thousandths <= 1000 && fabs(percent * 10 - thousandths) < 1e-6) {
		*ret = (uint32_t)thousandths;
		return 0;
	}
	return daemon_json_refuse(err, name, value, "percent from 0.1 to 100, with at most one decimal");
}
