/* SPDX-License-Identifier: MIT */
/*
 * Definitions: in memory sorted by UUID, on disk a file each (definition_file.c).  The disk comes first: what a client was told is
 * there is there after a power cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/definition_file.h"
#include "daemon/manager_priv.h"

#define DEFINITION_FIELDS (SPEC_PLACE | SPEC_START | SPEC_REST | SPEC_RUNNING)
#define MAX_DEFINITIONS 100000u

struct definition_list {
	struct manager_definition **at;
	size_t nr, room;
};

struct definition_loader {
	struct daemon *d;
	struct definition_list list;
};

static void free_definition(struct manager_definition *def)
{
	if (def)
		daemon_spec_clear(&def->spec);
	free(def);
}

static int compare(const void *a, const void *b)
{
	struct manager_definition *const *x = a, *const *y = b;

	return strcmp((*x)->spec.uuid, (*y)->spec.uuid);
}

/* Where uuid is, or belongs. */
static size_t place_of(struct manager_definition **at, size_t nr, const char *uuid, bool *ret_found)
{
	size_t low = 0, high = nr;

	*ret_found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = strcmp(at[middle]->spec.uuid, uuid);

		if (c == 0) {
			*ret_found = true;
			return middle;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct manager_definition *daemon_definition_find(struct daemon *d, const char *uuid)
{
	bool found;
	size_t i = place_of(d->definitions, d->nr_definitions, uuid, &found);

	return found ? d->definitions[i] : NULL;
}

/* ------------------------------------------------------------ from disk */

static int list_append(struct definition_list *l, struct manager_definition *def)
{
	if (l->nr == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct manager_definition **more = reallocarray(l->at, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->room = room;
	}
	l->at[l->nr++] = def;
	return 0;
}

static int take(struct definition_list *l, const char *uuid, json_t *content, struct trn_error *err)
{
	struct manager_definition *def = calloc(1, sizeof(*def));
	int r;

	if (!def)
		return daemon_no_memory(err);
	r = daemon_spec_read(content, DEFINITION_FIELDS | SPEC_UUID, &def->spec, err);
	if (r >= 0 && (!def->spec.parent || !def->spec.type))
		r = trn_error_set(err, -EINVAL, "BadField", "it names no %s", def->spec.parent ? "type" : "parent");
	if (r >= 0 && strcmp(def->spec.uuid, uuid))
		r = trn_error_set(err, -EINVAL, "BadField", "it is of device %s", def->spec.uuid[0] ? def->spec.uuid : "(none)");
	if (r >= 0 && list_append(l, def) < 0)
		r = daemon_no_memory(err);
	if (r < 0)
		free_definition(def);
	return r;
}

static void found_file(void *data, const char *file, const char *uuid, json_t *content, const struct trn_error *why)
{
	struct definition_loader *loader = data;
	const char *folder = loader->d->config->definitions_dir;
	struct trn_error err = { 0 };
	char key[300], path[600];

	if (why)
		err = *why;
	else if (take(&loader->list, uuid, content, &err) < 0) {
		trn_error_prefix(&err, "%.80s/%.60s: ", folder, file);
		trn_error_hint(&err, "mend it or take it away; all other definitions work");
	}
	if (!err.code)
		return;
	snprintf(key, sizeof(key), "definition:%.255s", file);
	snprintf(path, sizeof(path), "%.300s/%.255s", folder, file);
	daemon_problem_set(loader->d, key, &err, path);
}

static void tell_definition(struct daemon *d, const char *kind, const struct manager_definition *def)
{
	daemon_tell(d, kind, daemon_definition_json(d, def));
}

static void tell_removed(struct daemon *d, const char *uuid)
{
	daemon_tell(d, "definition-removed", json_pack("{s:s}", "uuid", uuid));
}

static bool is_same(const struct manager_definition *a, const struct manager_definition *b)
{
	json_t *x = daemon_spec_json(&a->spec), *y = daemon_spec_json(&b->spec);
	bool same = x && y && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return same;
}

static void tell_differences(struct daemon *d, struct definition_list *old)
{
	bool found;
	size_t i;

	for (i = 0; i < old->nr; i++)
		if (!daemon_definition_find(d, old->at[i]->spec.uuid))
			tell_removed(d, old->at[i]->spec.uuid);
	for (i = 0; i < d->nr_definitions; i++) {
		const struct manager_definition *def = d->definitions[i];
		size_t at = place_of(old->at, old->nr, def->spec.uuid, &found);

		if (!found)
			tell_definition(d, "definition-added", def);
		else if (!is_same(old->at[at], def))
			tell_definition(d, "definition-changed", def);
	}
}

void daemon_definitions_load(struct daemon *d, bool tell)
{
	struct definition_list old = { .at = d->definitions, .nr = d->nr_definitions };
	struct definition_loader loader = { .d = d };
	struct trn_error err = { 0 };

	daemon_problem_clear(d, "definition");
	if (daemon_definitions_read(d->config->definitions_dir, found_file, &loader, &err) < 0) {
		/* What is known stays: a disk that is away for a moment takes nothing from anybody. */
		daemon_problem_set(d, "definitions", &err, d->config->definitions_dir);
		free(loader.list.at);
		return;
	}
	if (loader.list.nr)
		qsort(loader.list.at, loader.list.nr, sizeof(*loader.list.at), compare);
	d->definitions = loader.list.at;
	d->nr_definitions = loader.list.nr;
	if (tell)
		tell_differences(d, &old);
	for (size_t i = 0; i < old.nr; i++)
		free_definition(old.at[i]);
	free(old.at);
}

void daemon_definitions_free(struct daemon *d)
{
	for (size_t i = 0; i < d->nr_definitions; i++)
		free_definition(d->definitions[i]);
	free(d->definitions);
	d->definitions = NULL;
	d->nr_definitions = 0;
}

/* ------------------------------------------------------------ requests */

json_t *daemon_definition_json(struct daemon *d, const struct manager_definition *def)
{
	struct manager_device *dev = daemon_device_find(d, def->spec.uuid);
	json_t *json = daemon_spec_json(&def->spec);

	if (json && json_object_set_new(json, "running", json_boolean(dev && daemon_device_is_visible(dev))) < 0) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

static int refuse_unknown(const char *uuid, struct trn_error *err)
{
	trn_error_set(err, -ENOENT, "NoSuchDefinition", "there is no definition %.60s", uuid);
	return trn_error_hint(err, "list the definitions to see which there are");
}

static int get_definition(struct daemon *d, const char *text, struct manager_definition **ret, struct trn_error *err)
{
	char uuid[TRN_UUID_SIZE];
	int r = daemon_uuid_parse(text, uuid, err);

	if (r < 0)
		return r;
	*ret = daemon_definition_find(d, uuid);
	return *ret ? 0 : refuse_unknown(uuid, err);
}

int daemon_get_definitions(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	struct manager_definition *def;
	json_t *list;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r < 0)
		return r;
	if (uuid) {
		r = get_definition(d, uuid, &def, err);
		if (r < 0)
			return r;
		*ret = daemon_definition_json(d, def);
		return *ret ? 0 : daemon_no_memory(err);
	}
	list = json_array();
	for (size_t i = 0; i < d->nr_definitions; i++)
		json_array_append_new(list, daemon_definition_json(d, d->definitions[i]));
	*ret = json_pack("{s:o}", "definitions", list);
	return *ret ? 0 : daemon_no_memory(err);
}

static int random_uuid(char ret[TRN_UUID_SIZE], struct trn_error *err)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return trn_error_set(err, -EIO, "NoRandom", "no random UUID can be made: %s", strerror(errno));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret, TRN_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

int daemon_uuid_choose(char uuid[TRN_UUID_SIZE], struct trn_error *err)
{
	return uuid[0] ? 0 : random_uuid(uuid, err);
}

/* In the file owners are numbers: names may move to other people. */
static int store(struct daemon *d, const struct manager_spec *spec, bool is_new, struct trn_error *err)
{
	json_t *json = daemon_spec_json(spec);
	int r;

	if (!json || (spec->has_owner && json_object_set_new(json, "owner", json_integer((json_int_t)spec->owner)) < 0))
		r = daemon_no_memory(err);
	else
		r = daemon_definition_write(d->config->definitions_dir, spec->uuid, json, is_new, err);
	json_decref(json);
	return r;
}

/* What the type cannot have is refused now, not when somebody needs the device. */
static int check_type(struct manager_parent *p, const struct manager_spec *spec, struct trn_error *err)
{
	struct trn_type *type = daemon_device_type(p, spec);
	uint32_t adjustable = type ? trn_type_adjustable(type) : 0;
	struct trn_resources cost;

	if (!type) {
		trn_error_set(err, -EINVAL, "NoSuchType", "parent %s has no type %s", p->name, spec->type);
		return trn_error_hint(err, "list its types to see which it has");
	}
	trn_type_get_cost(type, &cost);
	if (spec->memory && spec->memory != cost.amount[TRN_RESOURCE_MEMORY] && !(adjustable & 1u << TRN_RESOURCE_MEMORY)) {
		trn_error_set(err, -EINVAL, "FixedMemory", "devices of type %s have %llu bytes of memory, not %llu", spec->type,
			      (unsigned long long)cost.amount[TRN_RESOURCE_MEMORY], (unsigned long long)spec->memory);
		return trn_error_hint(err, "leave memory out, or choose a type with memory of any size, such as compute-custom");
	}
	if (spec->time && spec->time != cost.amount[TRN_RESOURCE_TIME] && !(adjustable & 1u << TRN_RESOURCE_TIME)) {
		trn_error_set(err, -EINVAL, "FixedTime", "no time can be promised to devices of type %s", spec->type);
		return trn_error_hint(err, "leave time out, or choose another type");
	}
	return 0;
}

/* Whom it will belong to with its attributes applied: that is who may do it. */
static int check_effective(struct daemon *d, const struct daemon_peer *peer, const struct manager_spec *spec, struct trn_error *err)
{
	struct manager_parent *p = spec->parent ? daemon_parent_find(d, spec->parent) : NULL;
	struct manager_spec effective;
	int r;

	if (!spec->parent || !spec->type) {
		trn_error_set(err, -EINVAL, "MissingField", "a definition needs a %s", spec->parent ? "type" : "parent");
		return trn_error_hint(err, "list the types to see what there is");
	}
	if (daemon_spec_copy(&effective, spec) < 0)
		return daemon_no_memory(err);
	r = daemon_spec_apply_attrs(&effective, err);
	/* The parent may come later. */
	if (r >= 0 && p)
		r = check_type(p, &effective, err);
	if (r >= 0)
		r = daemon_check_owner(peer, &effective, "the definition", err);
	daemon_spec_clear(&effective);
	return r;
}

static int insert(struct daemon *d, struct manager_definition *def, struct trn_error *err)
{
	struct manager_definition **more;
	bool found;
	size_t i;

	if (d->nr_definitions >= MAX_DEFINITIONS) {
		trn_error_set(err, -EUSERS, "TooMany", "there are %u definitions already", MAX_DEFINITIONS);
		return trn_error_hint(err, "undefine some");
	}
	more = reallocarray(d->definitions, d->nr_definitions + 1, sizeof(*more));
	if (!more)
		return daemon_no_memory(err);
	d->definitions = more;
	i = place_of(more, d->nr_definitions, def->spec.uuid, &found);
	memmove(more + i + 1, more + i, (d->nr_definitions - i) * sizeof(*more));
	more[i] = def;
	d->nr_definitions++;
	return 0;
}

static void take_out(struct daemon *d, struct manager_definition *def)
{
	bool found;
	size_t i = place_of(d->definitions, d->nr_definitions, def->spec.uuid, &found);

	memmove(d->definitions + i, d->definitions + i + 1, (--d->nr_definitions - i) * sizeof(*d->definitions));
	free_definition(def);
}

static int define(struct daemon *d, const struct daemon_peer *peer, json_t *body, struct manager_definition *def, struct trn_error *err)
{
	struct manager_device *dev;
	int r = daemon_check_right(peer, DAEMON_USE, err);

	if (r >= 0)
		r = daemon_spec_read(body, DEFINITION_FIELDS | SPEC_UUID, &def->spec, err);
	if (r >= 0)
		r = daemon_uuid_choose(def->spec.uuid, err);
	if (r < 0)
		return r;
	dev = daemon_device_find(d, def->spec.uuid);
	if (!def->spec.has_owner && peer->right < DAEMON_ADMIN) {
		def->spec.has_owner = true;
		def->spec.owner = peer->uid;
	}
	r = check_effective(d, peer, &def->spec, err);
	if (r >= 0)
		r = daemon_check_options(peer, def->spec.options, err);
	if (r >= 0 && dev)
		r = daemon_check_owner(peer, &dev->spec, "the running device of that UUID", err);
	if (r < 0)
		return r;
	if (daemon_definition_find(d, def->spec.uuid)) {
		trn_error_set(err, -EEXIST, "UuidInUse", "there is a definition %s already", def->spec.uuid);
		return trn_error_hint(err, "change it, or choose another UUID");
	}
	r = insert(d, def, err);
	if (r < 0)
		return r;
	r = store(d, &def->spec, true, err);
	if (r < 0) {
		/* The caller frees it. */
		bool found;
		size_t i = place_of(d->definitions, d->nr_definitions, def->spec.uuid, &found);

		memmove(d->definitions + i, d->definitions + i + 1, (--d->nr_definitions - i) * sizeof(*d->definitions));
	}
	return r;
}

/* Of a file that was taken away. */
static void forget_problem(struct daemon *d, const char *uuid)
{
	char file[TRN_UUID_SIZE + sizeof(".json")];

	snprintf(file, sizeof(file), "%s.json", uuid);
	daemon_problem_over(d, "definition", file);
}

void daemon_post_definition(struct daemon *d, struct daemon_call *call, json_t *body)
{
	struct manager_definition *def = calloc(1, sizeof(*def));
	struct trn_error err = { 0 };

	if (!def)
		daemon_no_memory(&err);
	else if (define(d, call->peer, body, def, &err) < 0)
		free_definition(def);
	if (err.code) {
		daemon_done(call, NULL, &err);
		return;
	}
	forget_problem(d, def->spec.uuid);
	tell_definition(d, "definition-added", def);
	daemon_device_note_defined(d, def->spec.uuid);
	daemon_done(call, daemon_definition_json(d, def), NULL);
}

static int may_change(struct manager_definition *def, const struct daemon_peer *peer, struct trn_error *err)
{
	struct manager_spec effective;
	char what[64];
	int r;

	if (daemon_spec_copy(&effective, &def->spec) < 0)
		return daemon_no_memory(err);
	snprintf(what, sizeof(what), "definition %s", def->spec.uuid);
	r = daemon_spec_apply_attrs(&effective, err);
	if (r >= 0)
		r = daemon_check_owner(peer, &effective, what, err);
	daemon_spec_clear(&effective);
	return r;
}

int daemon_definition_check_free(struct daemon *d, const struct daemon_peer *peer, const char *uuid, struct trn_error *err)
{
	struct manager_definition *def = daemon_definition_find(d, uuid);

	return def ? may_change(def, peer, err) : 0;
}

static int change(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t *body, struct manager_definition **ret,
		  struct trn_error *err)
{
	struct manager_definition *def;
	struct manager_spec spec;
	int r = daemon_check_right(peer, DAEMON_USE, err);

	if (r >= 0)
		r = get_definition(d, uuid, &def, err);
	if (r >= 0)
		r = may_change(def, peer, err);
	if (r < 0)
		return r;
	if (daemon_spec_copy(&spec, &def->spec) < 0)
		return daemon_no_memory(err);
	r = daemon_spec_read(body, DEFINITION_FIELDS, &spec, err);
	if (r >= 0)
		r = check_effective(d, peer, &spec, err);
	/* Those that are there may be an administrator's. */
	if (r >= 0 && json_object_get(body, "options"))
		r = daemon_check_options(peer, spec.options, err);
	if (r >= 0)
		r = store(d, &spec, false, err);
	if (r < 0) {
		daemon_spec_clear(&spec);
		return r;
	}
	daemon_spec_clear(&def->spec);
	def->spec = spec;
	*ret = def;
	return 0;
}

void daemon_patch_definition(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body)
{
	struct manager_definition *def = NULL;
	struct trn_error err = { 0 };

	if (change(d, call->peer, uuid, body, &def, &err) < 0) {
		daemon_done(call, NULL, &err);
		return;
	}
	tell_definition(d, "definition-changed", def);
	daemon_done(call, daemon_definition_json(d, def), NULL);
}

static int undefine(struct daemon *d, const struct daemon_peer *peer, const char *text, char uuid[TRN_UUID_SIZE], struct trn_error *err)
{
	struct manager_definition *def = NULL;
	int r = daemon_check_right(peer, DAEMON_USE, err);

	if (r >= 0)
		r = get_definition(d, text, &def, err);
	if (r >= 0)
		r = may_change(def, peer, err);
	if (r < 0)
		return r;
	memcpy(uuid, def->spec.uuid, TRN_UUID_SIZE);
	r = daemon_definition_unlink(d->config->definitions_dir, uuid, err);
	/* Somebody was faster, by hand. */
	if (r < 0 && r != -ENOENT)
		return r;
	take_out(d, def);
	return 0;
}

void daemon_delete_definition(struct daemon *d, struct daemon_call *call, const char *text)
{
	struct trn_error err = { 0 };
	char uuid[TRN_UUID_SIZE];

	if (undefine(d, call->peer, text, uuid, &err) < 0) {
		daemon_done(call, NULL, &err);
		return;
	}
	tell_removed(d, uuid);
	daemon_device_note_defined(d, uuid);
	daemon_done(call, NULL, NULL);
}

void daemon_start_definition(struct daemon *d, struct daemon_call *call, const char *uuid)
{
	struct manager_definition *def = NULL;
	struct manager_spec spec;
	struct trn_error err = { 0 };
	int r = daemon_check_right(call->peer, DAEMON_USE, &err);

	if (r >= 0)
		r = get_definition(d, uuid, &def, &err);
	if (r >= 0)
		r = may_change(def, call->peer, &err);
	if (r >= 0 && daemon_spec_copy(&spec, &def->spec) < 0)
		r = daemon_no_memory(&err);
	if (r < 0)
		daemon_done(call, NULL, &err);
	else
		daemon_device_begin(d, &spec, call, NULL);
}
