/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as the body of a request to tranched, and as a definition's file: the manager's own reading of it.
 * What was taken must be told as it can be taken again, and come out the same.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/manager_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEFINITION (SPEC_UUID | SPEC_PLACE | SPEC_START | SPEC_REST)

static const unsigned int shapes[] = {
	DEFINITION, SPEC_UUID | SPEC_PLACE | SPEC_REST | SPEC_LIFETIME, SPEC_LIVE, DEFINITION | SPEC_RUNNING,
};

/* manager.c's, which wants all of the manager. */
int daemon_no_memory(struct trn_error *err)
{
	return trn_error_set(err, -12, "NoMemory", "no memory");
}

static void check_amounts(const struct manager_spec *spec)
{
	if (spec->time > 1000 || spec->memory > INT64_MAX)
		abort();
}

/* As it is written to the disk, and read after a restart. */
static void check_again(const struct manager_spec *spec)
{
	json_t *first = daemon_spec_json(spec), *second;
	struct manager_spec copy = { 0 };
	struct trn_error err = { 0 };

	if (!first)
		abort();
	if (spec->has_owner)
		json_object_set_new(first, "owner", json_integer((json_int_t)spec->owner));
	/* Only what is missing altogether cannot be said. */
	if (!spec->uuid[0])
		json_object_del(first, "uuid");
	if (!spec->parent)
		json_object_del(first, "parent");
	if (!spec->type)
		json_object_del(first, "type");
	if (daemon_spec_read(first, DEFINITION, &copy, &err) < 0)
		abort();
	second = daemon_spec_json(&copy);
	if (spec->has_owner != copy.has_owner || (spec->has_owner && spec->owner != copy.owner) || spec->memory != copy.memory ||
	    spec->time != copy.time || !json_equal(json_object_get(first, "attrs"), json_object_get(second, "attrs")) ||
	    !json_equal(json_object_get(first, "options"), json_object_get(second, "options")))
		abort();
	json_decref(first);
	json_decref(second);
	daemon_spec_clear(&copy);
}

static void check_taken(struct manager_spec *spec)
{
	struct manager_spec copy;
	struct trn_error err = { 0 };

	check_amounts(spec);
	check_again(spec);
	if (daemon_spec_copy(&copy, spec) < 0)
		abort();
	/* Its attributes were checked when they were read. */
	if (daemon_spec_apply_attrs(&copy, &err) < 0)
		abort();
	check_amounts(&copy);
	daemon_spec_clear(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As http_body.c and definition_file.c read them. */
	json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	for (size_t i = 0; body && i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct manager_spec spec = { 0 };
		struct trn_error err = { 0 };

		if (daemon_spec_read(body, shapes[i], &spec, &err) >= 0)
			check_taken(&spec);
		else if (!err.code || !err.text[0] || !err.name)
			abort();
		daemon_spec_clear(&spec);
	}
	json_decref(body);
	return 0;
}
