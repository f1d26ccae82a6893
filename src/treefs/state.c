/* SPDX-License-Identifier: MIT */
/* From the API's lists to objects of the tree, with the texts of their files. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "treefs/state.h"

static const char *string_of(json_t *of, const char *key)
{
	const char *s = json_string_value(json_object_get(of, key));

	return s ? s : "";
}

/* Can this be the name of an entry? */
static bool is_name(const char *s)
{
	return *s && strcmp(s, ".") && strcmp(s, "..") && strlen(s) <= NAME_MAX && !strchr(s, '/');
}

static char *line_of(const char *text)
{
	char *s;

	return asprintf(&s, "%s\n", text) < 0 ? NULL : s;
}

/* A value as a line: null is an empty one. */
static char *value_line(json_t *v)
{
	char *s;

	if (json_is_string(v))
		return line_of(json_string_value(v));
	if (json_is_integer(v))
		return asprintf(&s, "%lld\n", (long long)json_integer_value(v)) < 0 ? NULL : s;
	if (json_is_real(v))
		return asprintf(&s, "%.10g\n", json_real_value(v)) < 0 ? NULL : s;
	return line_of(json_is_true(v) ? "1" : json_is_false(v) ? "0" : "");
}

struct field {
	enum treefs_value value;
	const char *key;
};

static const struct field type_fields[] = {
	{TREEFS_VALUE_AVAILABLE, "available_instances"},
	{TREEFS_VALUE_API, "device_api"},
	{TREEFS_VALUE_NAME, "pretty_name"},
	{TREEFS_VALUE_DESCRIPTION, "description"},
	{0},
};

static const struct field device_fields[] = {
	{TREEFS_VALUE_MEMORY, "memory"},
	{TREEFS_VALUE_TIME, "time"},
	{TREEFS_VALUE_OWNER, "owner"},
	{TREEFS_VALUE_VM, "vm"},
	{TREEFS_VALUE_STATE, "state"},
	{TREEFS_VALUE_LIFETIME, "lifetime"},
	{TREEFS_VALUE_PID, "pid"},
	{TREEFS_VALUE_SOCKET, "socket"},
	{0},
};

/* Return: NULL: no memory. */
static struct treefs_object *new_object(
	enum treefs_class class, const char *name, const char *api_name, const struct field *fields, json_t *from)
{
	struct treefs_object *o = calloc(1, sizeof(*o));
	bool ok = o != NULL;

	if (!o)
		return NULL;
	o->class = class;
	o->name = strdup(name);
	o->api_name = strdup(api_name);
	ok = o->name && o->api_name;
	for (const struct field *f = fields; f && f->key; f++) {
		o->values[f->value] = value_line(json_object_get(from, f->key));
		ok = ok && o->values[f->value];
	}
	if (ok)
		return o;
	for (size_t i = 0; i < TREEFS_NR_VALUES; i++)
		free(o->values[i]);
	free(o->name);
	free(o->api_name);
	free(o);
	return NULL;
}

static int add_driver(struct treefs_state *s, const char *name)
{
	struct treefs_object *o;

	for (size_t i = 0; i < s->nr; i++)
		if (!strcmp(s->by_name[i]->name, name))
			return 0;
	o = new_object(TREEFS_A_DRIVER, name, name, NULL, NULL);
	if (!o)
		return -ENOMEM;
	o->driver = o;
	return treefs_state_add(s, o);
}

static int add_drivers(struct treefs_state *s, json_t *parents)
{
	json_t *p;
	size_t i;
	int r = 0;

	json_array_foreach(parents, i, p) if (r == 0 && is_name(string_of(p, "driver"))) r =
		add_driver(s, string_of(p, "driver"));
	treefs_state_sort(s);
	return r;
}

static int add_parent(struct treefs_state *s, json_t *p, bool *missing)
{
	const char *name = string_of(p, "name");
	const struct treefs_object *driver = treefs_tree_find(s, TREEFS_A_DRIVER, string_of(p, "driver"), NULL);
	struct treefs_object *o;

	if (!is_name(name) || !driver) {
		*missing = true;
		return 0;
	}
	o = new_object(TREEFS_A_PARENT, name, name, NULL, NULL);
	if (!o)
		return -ENOMEM;
	o->driver = driver;
	o->parent = o;
	return treefs_state_add(s, o);
}

/* Names are <driver>-<type>, whatever tranched calls them. */
static void type_name(char ret[NAME_MAX + 2], const char *driver, const char *name)
{
	size_t len = strlen(driver);

	if (!strncmp(name, driver, len) && name[len] == '-')
		snprintf(ret, NAME_MAX + 2, "%s", name);
	else
		snprintf(ret, NAME_MAX + 2, "%s-%s", driver, name);
}

/* The name of a type that has no other is its own. */
static int complete_type(struct treefs_object *o)
{
	char **name = &o->values[TREEFS_VALUE_NAME];

	if (**name != '\n')
		return 0;
	free(*name);
	*name = line_of(o->name);
	return *name ? 0 : -ENOMEM;
}

static int add_type(struct treefs_state *s, json_t *t, bool *missing)
{
	const struct treefs_object *parent = treefs_tree_find(s, TREEFS_A_PARENT, string_of(t, "parent"), NULL);
	const char *api_name = string_of(t, "name");
	char name[NAME_MAX + 2];
	struct treefs_object *o;
	int r;

	if (parent)
		type_name(name, parent->driver->name, api_name);
	if (!parent || !is_name(api_name) || !is_name(name)) {
		*missing = true;
		return 0;
	}
	o = new_object(TREEFS_A_TYPE, name, api_name, type_fields, t);
	if (!o)
		return -ENOMEM;
	o->driver = parent->driver;
	o->parent = parent;
	o->type = o;
	r = complete_type(o);
	return treefs_state_add(s, o) < 0 ? -ENOMEM : r;
}

/* Only a device that is complete is shown. */
static bool is_shown(json_t *d)
{
	return strcmp(string_of(d, "state"), "starting") != 0;
}

static int complete_device(struct treefs_object *o, json_t *d)
{
	char *text;

	/* Its process lives as long as it does, and longer than tranched. */
	o->born = strdup(o->values[TREEFS_VALUE_PID]);
	if (asprintf(&text, "DRIVER=%s\n", o->driver->name) >= 0)
		o->values[TREEFS_VALUE_UEVENT] = text;
	return o->born && o->values[TREEFS_VALUE_UEVENT] ? 0 : -ENOMEM;
}

static int add_device(struct treefs_state *s, json_t *d, bool *missing)
{
	const struct treefs_object *parent = treefs_tree_find(s, TREEFS_A_PARENT, string_of(d, "parent"), NULL),
				   *type = NULL;
	const char *uuid = string_of(d, "uuid");
	char name[NAME_MAX + 2];
	struct treefs_object *o;
	int r;

	if (!is_shown(d))
		return 0;
	if (parent) {
		type_name(name, parent->driver->name, string_of(d, "type"));
		type = treefs_tree_find(s, TREEFS_A_TYPE, name, parent);
	}
	if (!type || !is_name(uuid)) {
		*missing = true;
		return 0;
	}
	o = new_object(TREEFS_A_DEVICE, uuid, uuid, device_fields, d);
	if (!o)
		return -ENOMEM;
	o->driver = parent->driver;
	o->parent = parent;
	o->type = type;
	r = complete_device(o, d);
	return treefs_state_add(s, o) < 0 ? -ENOMEM : r;
}

typedef int (*add_fn)(struct treefs_state *s, json_t *of, bool *missing);

static int add_all(struct treefs_state *s, json_t *list, add_fn add, bool *missing)
{
	json_t *of;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, of) if (r == 0) r = add(s, of, missing);
	/* The next class looks into this one. */
	treefs_state_sort(s);
	return r;
}

struct treefs_state *treefs_state_create(json_t *parents, json_t *types, json_t *devices, bool *ret_missing)
{
	struct treefs_state *s = calloc(1, sizeof(*s));
	bool missing = false;
	int r;

	if (!s)
		return NULL;
	r = add_drivers(s, parents);
	if (r == 0)
		r = add_all(s, parents, add_parent, &missing);
	if (r == 0)
		r = add_all(s, types, add_type, &missing);
	if (r == 0)
		r = add_all(s, devices, add_device, &missing);
	if (r < 0) {
		treefs_state_destroy(s);
		return NULL;
	}
	*ret_missing = missing;
	return s;
}
