/* SPDX-License-Identifier: MIT */
/* What a device is to be: read from a body, a file or a record, all by the same table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "daemon/manager_priv.h"

#define MAX_NAME 63u
#define MAX_TEXT 255u
#define MAX_VALUE 1023u
#define MAX_ATTRS 64u

json_t *daemon_time_json(uint32_t thousandths)
{
	if (!thousandths)
		return json_null();
	return thousandths % 10 ? json_real(thousandths / 10.0) : json_integer(thousandths / 10);
}

int daemon_uuid_parse(const char *text, char ret[TRN_UUID_SIZE], struct trn_error *err)
{
	return trn_uuid_parse(text, strlen(text), ret, err);
}

static int set_text(char **to, const char *text, struct trn_error *err)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return daemon_no_memory(err);
	free(*to);
	*to = copy;
	return 0;
}

static int read_uuid(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	if (!json_is_string(value) || json_string_length(value) != TRN_UUID_SIZE - 1)
		return daemon_json_refuse(err, name, value, "a UUID of 36 characters, or leave it out");
	return daemon_uuid_parse(json_string_value(value), spec->uuid, err);
}

static int read_text(char **to, const char *name, json_t *value, size_t max, bool may_be_null, struct trn_error *err)
{
	const char *text = NULL;

	if (!(json_is_null(value) && may_be_null)) {
		int r = daemon_json_text(value, name, max, &text, err);

		if (r < 0)
			return r;
	}
	return set_text(to, text, err);
}

static int read_parent(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;
	int r = read_text(&spec->parent, name, value, MAX_NAME, false, err);

	/* It becomes the name of a folder. */
	if (r >= 0 && (spec->parent[0] == '.' || strchr(spec->parent, '/')))
		return daemon_json_refuse(err, name, value, "the name of a parent");
	return r;
}

static int read_type(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	return read_text(&spec->type, name, value, MAX_NAME, false, err);
}

static int read_vm(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	if (json_is_string(value) && !json_string_length(value))
		return set_text(&spec->vm, NULL, err);
	return read_text(&spec->vm, name, value, MAX_TEXT, true, err);
}

static int read_memory(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	if (json_is_null(value)) {
		spec->memory = 0;
		return 0;
	}
	return daemon_json_number(value, name, 1, INT64_MAX, &spec->memory, err);
}

static int read_time(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	if (json_is_null(value)) {
		spec->time = 0;
		return 0;
	}
	return daemon_json_percent(value, name, &spec->time, err);
}

static int read_owner(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;

	spec->has_owner = !json_is_null(value);
	if (spec->has_owner && daemon_owner_parse(value, &spec->owner) < 0)
		return daemon_json_refuse(err, name, value, "the name or number of a user of this host");
	return 0;
}

static int read_start(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;
	const char *text = json_string_value(value);

	if (!json_is_null(value) && (!text || (strcmp(text, "auto") && strcmp(text, "manual"))))
		return daemon_json_refuse(err, name, value, "\"auto\" or \"manual\"");
	spec->is_auto = text && text[0] == 'a';
	return 0;
}

static int read_lifetime(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;
	const char *text = json_string_value(value);

	if (!json_is_null(value) && (!text || (strcmp(text, "until-stopped") && strcmp(text, "process"))))
		return daemon_json_refuse(err, name, value, "\"until-stopped\" or \"process\"");
	spec->is_bound = text && text[0] == 'p';
	return 0;
}

static void replace(json_t **to, json_t *value)
{
	json_decref(*to);
	*to = value;
}

static int read_options(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data;
	const char *key, *text;
	json_t *member, *copy;
	int r;

	if (json_is_null(value)) {
		replace(&spec->options, NULL);
		return 0;
	}
	if (!json_is_object(value) || json_object_size(value) > DAEMON_MAX_OPTIONS)
		return daemon_json_refuse(err, name, value, "an object of at most 16 strings");
	json_object_foreach(value, key, member) {
		size_t len = strlen(key);

		if (!len || len > 31 || strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len) {
			trn_error_set(err, -EINVAL, "BadField", "%s has the name \"%.60s\"", name, key);
			return trn_error_hint(err, "use an option that tranche-device --list names");
		}
		r = daemon_json_text(member, key, MAX_VALUE, &text, err);
		if (r < 0)
			return r;
	}
	copy = json_deep_copy(value);
	if (!copy)
		return daemon_no_memory(err);
	replace(&spec->options, copy);
	return 0;
}

static int apply_attr(struct manager_spec *spec, const char *name, const char *value, struct trn_error *err)
{
	json_t *as_json = NULL;
	char *end;
	int r;

	if (!strcmp(name, "memory")) {
		r = base_size_parse(value, &spec->memory, err);
		/* Too much is wrong as nonsense is; JSON's numbers have a sign. */
		if (r >= 0 && spec->memory > INT64_MAX) {
			spec->memory = 0;
			trn_error_set(err, -EINVAL, "BadSize", "memory of %.40s is more than any device can have", value);
			r = trn_error_hint(err, "give less");
		}
		if (r < 0)
			err->code = -EINVAL;
		return r < 0 ? -EINVAL : 0;
	}
	if (!strcmp(name, "owner")) {
		as_json = json_string(value);
		r = read_owner(spec, name, as_json, err);
	} else if (!strcmp(name, "vm")) {
		as_json = json_string(value);
		r = read_vm(spec, name, as_json, err);
	} else if (!strcmp(name, "time")) {
		double percent = strtod(value, &end);

		as_json = *value && (!*end || !strcmp(end, "%")) ? json_real(percent) : json_string(value);
		r = read_time(spec, name, as_json, err);
	} else {
		trn_error_set(err, -EINVAL, "UnknownAttribute", "there is no attribute \"%.60s\"", name);
		return trn_error_hint(err, "attributes are memory, time, owner and vm");
	}
	json_decref(as_json);
	return r;
}

int daemon_attrs_apply(json_t *attrs, struct manager_spec *spec, struct trn_error *err)
{
	json_t *attr, *value;
	const char *name;
	size_t i;
	int r = 0;

	json_array_foreach(attrs, i, attr) {
		json_object_foreach(attr, name, value) {
			/* As tools write them to files: with the newline. */
			_cleanup_free_ char *text = strdup(json_string_value(value));
			size_t len = text ? strcspn(text, "\n") : 0;

			if (!text)
				return daemon_no_memory(err);
			text[len] = '\0';
			r = apply_attr(spec, name, text, err);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int daemon_spec_apply_attrs(struct manager_spec *spec, struct trn_error *err)
{
	return spec->attrs ? daemon_attrs_apply(spec->attrs, spec, err) : 0;
}

static int read_attrs(void *data, const char *name, json_t *value, struct trn_error *err)
{
	struct manager_spec *spec = data, trial = { 0 };
	json_t *attr, *copy;
	size_t i;
	int r;

	if (json_is_null(value)) {
		replace(&spec->attrs, NULL);
		return 0;
	}
	if (!json_is_array(value) || json_array_size(value) > MAX_ATTRS)
		return daemon_json_refuse(err, name, value, "an array of at most 64 objects, each {\"name\":\"value\"}");
	json_array_foreach(value, i, attr) {
		json_t *first = json_is_object(attr) && json_object_size(attr) == 1 ?
					json_object_iter_value(json_object_iter(attr)) : NULL;

		if (!first || !json_is_string(first) || json_string_length(first) > MAX_VALUE ||
		    strlen(json_string_value(first)) != json_string_length(first))
			return daemon_json_refuse(err, name, first ? first : attr, "an array of objects, each {\"name\":\"value\"}");
	}
	r = daemon_attrs_apply(value, &trial, err);
	daemon_spec_clear(&trial);
	if (r < 0)
		return r;
	copy = json_deep_copy(value);
	if (!copy)
		return daemon_no_memory(err);
	replace(&spec->attrs, copy);
	return 0;
}

/* What an answer has, and so a client may send back. */
static int read_running(void *data, const char *name, json_t *value, struct trn_error *err)
{
	return json_is_boolean(value) ? 0 : daemon_json_refuse(err, name, value, "true or false, or leave it out");
}

static const struct daemon_field spec_fields[] = {
	{ "uuid", SPEC_UUID, read_uuid },
	{ "parent", SPEC_PLACE, read_parent },
	{ "type", SPEC_PLACE, read_type },
	{ "start", SPEC_START, read_start },
	{ "memory", SPEC_REST | SPEC_LIVE, read_memory },
	{ "time", SPEC_REST | SPEC_LIVE, read_time },
	{ "owner", SPEC_REST, read_owner },
	{ "vm", SPEC_REST, read_vm },
	{ "attrs", SPEC_REST | SPEC_LIVE, read_attrs },
	{ "options", SPEC_REST, read_options },
	{ "lifetime", SPEC_LIFETIME, read_lifetime },
	{ "running", SPEC_RUNNING, read_running },
};

int daemon_spec_read(json_t *body, unsigned int fields, struct manager_spec *spec, struct trn_error *err)
{
	return daemon_json_read(body, spec_fields, sizeof(spec_fields) / sizeof(*spec_fields), fields, spec, err);
}

int daemon_spec_copy(struct manager_spec *to, const struct manager_spec *from)
{
	*to = *from;
	to->parent = from->parent ? strdup(from->parent) : NULL;
	to->type = from->type ? strdup(from->type) : NULL;
	to->vm = from->vm ? strdup(from->vm) : NULL;
	to->attrs = from->attrs ? json_deep_copy(from->attrs) : NULL;
	to->options = from->options ? json_deep_copy(from->options) : NULL;
	if (!to->parent != !from->parent || !to->type != !from->type || !to->vm != !from->vm || !to->attrs != !from->attrs ||
	    !to->options != !from->options) {
		daemon_spec_clear(to);
		return -ENOMEM;
	}
	return 0;
}

json_t *daemon_spec_json(const struct manager_spec *spec)
{
	return json_pack("{s:s, s:s?, s:s?, s:s, s:o, s:o, s:o, s:s?, s:o, s:o}", "uuid", spec->uuid, "parent", spec->parent,
			 "type", spec->type, "start", spec->is_auto ? "auto" : "manual", "memory",
			 spec->memory ? json_integer((json_int_t)spec->memory) : json_null(), "time", daemon_time_json(spec->time),
			 "owner", spec->has_owner ? daemon_owner_json(spec->owner) : json_null(), "vm", spec->vm, "attrs",
			 spec->attrs ? json_deep_copy(spec->attrs) : json_array(), "options",
			 spec->options ? json_deep_copy(spec->options) : json_object());
}

void daemon_spec_clear(struct manager_spec *spec)
{
	free(spec->parent);
	free(spec->type);
	free(spec->vm);
	json_decref(spec->attrs);
	json_decref(spec->options);
	*spec = (struct manager_spec){ 0 };
}
