/* SPDX-License-Identifier: MIT */
#include "ctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/size.h"

const char *ctl_text_of(json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

const char *ctl_text_size(json_t *bytes, char buf[CTL_TEXT])
{
	char text[BASE_SIZE_TEXT];

	buf[0] = '\0';
	if (json_is_integer(bytes) && json_integer_value(bytes) >= 0)
		snprintf(buf, CTL_TEXT, "%s", base_size_format((uint64_t)json_integer_value(bytes), text));
	return buf;
}

const char *ctl_text_percent(json_t *percent, char buf[CTL_TEXT])
{
	buf[0] = '\0';
	if (json_is_integer(percent))
		snprintf(buf, CTL_TEXT, "%" JSON_INTEGER_FORMAT " %%", json_integer_value(percent));
	else if (json_is_real(percent))
		snprintf(buf, CTL_TEXT, "%.1f %%", json_real_value(percent));
	return buf;
}

const char *ctl_text_share(json_t *share, char buf[CTL_TEXT])
{
	buf[0] = '\0';
	if (json_is_number(share))
		snprintf(buf, CTL_TEXT, "%.1f %%", json_number_value(share) * 100);
	return buf;
}

const char *ctl_text_duration(json_t *ns, char buf[CTL_TEXT])
{
	double s = json_number_value(ns) / 1e9;

	buf[0] = '\0';
	if (!json_is_number(ns))
		return buf;
	if (s < 1)
		snprintf(buf, CTL_TEXT, "%.3g ms", s * 1e3);
	else if (s < 60)
		snprintf(buf, CTL_TEXT, "%.1f s", s);
	else if (s < 3600)
		snprintf(buf, CTL_TEXT, "%d min %d s", (int)(s / 60), (int)s % 60);
	else
		snprintf(buf, CTL_TEXT, "%d h %d min", (int)(s / 3600), (int)(s / 60) % 60);
	return buf;
}

const char *ctl_text_time(json_t *value, char buf[CTL_TEXT])
{
	const char *text = json_string_value(value);
	struct tm tm = { 0 };
	time_t t;

	buf[0] = '\0';
	if (!text)
		return buf;
	snprintf(buf, CTL_TEXT, "%s", text);
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return buf;
	t = timegm(&tm);
	if (localtime_r(&t, &tm))
		strftime(buf, CTL_TEXT, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

const char *ctl_text_any(json_t *value, char buf[CTL_TEXT])
{
	buf[0] = '\0';
	if (json_is_string(value))
		snprintf(buf, CTL_TEXT, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, CTL_TEXT, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, CTL_TEXT, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, CTL_TEXT, "%s", json_is_true(value) ? "yes" : "no");
	return buf;
}

/* Thousandths of the time. */
static void add_resource(char *buf, size_t len, const char *key, json_t *value)
{
	char text[CTL_TEXT];

	if (!strcmp(key, "memory"))
		snprintf(buf, len, "%s", ctl_text_size(value, text));
	else if (!strcmp(key, "time"))
		snprintf(buf, len, "%g %% time", json_number_value(value) / 10);
	else
		snprintf(buf, len, "%s %s", ctl_text_any(value, text), key);
}

const char *ctl_text_resources(json_t *resources, char buf[CTL_TEXT])
{
	const char *key;
	json_t *value;
	size_t at = 0;

	buf[0] = '\0';
	json_object_foreach(resources, key, value) {
		if (at && at < CTL_TEXT - 3)
			at += (size_t)snprintf(buf + at, CTL_TEXT - at, ", ");
		if (at < CTL_TEXT)
			add_resource(buf + at, CTL_TEXT - at, key, value);
		at = strlen(buf);
	}
	return buf;
}
