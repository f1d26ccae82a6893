/* SPDX-License-Identifier: MIT */
/*
 * What a parent offers: a compute parent cuts memory, in sizes that are powers of two and in any size, and in any size for virtual
 * machines; of another driver, what it says itself.
 * The core's driver of all of them does nothing: devices are processes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "daemon/manager_priv.h"

#define MIB (1ull << 20)
#define MAX_TYPES 64u

/* What types with one device_api have. */
struct type_face {
	struct trn_device_ops ops;
	char device_api[32];
};

/* What the core's parent and its types point to; freed with it. */
struct parent_driver {
	char name[32];
	size_t nr_faces;
	struct type_face faces[]; /* room for one a type */
};

struct type_list {
	struct trn_type_desc desc[MAX_TYPES];
	const char *api[MAX_TYPES];
	char text[MAX_TYPES][3][160]; /* name, pretty name, description */
	size_t nr;
};

static int init_nothing(struct trn_device *dev, struct trn_error *err)
{
	return 0;
}

static void release_nothing(struct trn_device *dev)
{
}

static const struct trn_device_ops *find_ops(struct parent_driver *driver, const char *device_api)
{
	struct type_face *face = driver->faces;

	while (face < driver->faces + driver->nr_faces && strcmp(face->device_api, device_api))
		face++;
	if (face < driver->faces + driver->nr_faces)
		return &face->ops;
	snprintf(face->device_api, sizeof(face->device_api), "%s", device_api);
	face->ops = (struct trn_device_ops){ .name = driver->name, .device_api = face->device_api, .init = init_nothing,
					     .release = release_nothing };
	driver->nr_faces++;
	return &face->ops;
}

/* With what the types need: each gets its calls. */
static struct parent_driver *make_driver(const char *name, struct type_list *l)
{
	struct parent_driver *driver = calloc(1, sizeof(*driver) + l->nr * sizeof(driver->faces[0]));

	if (!driver)
		return NULL;
	snprintf(driver->name, sizeof(driver->name), "%s", name);
	for (size_t i = 0; i < l->nr; i++)
		l->desc[i].ops = find_ops(driver, l->api[i]);
	return driver;
}

static struct trn_type_desc *add_type(struct type_list *l, const char *api, uint64_t memory, uint32_t adjustable)
{
	struct trn_type_desc *desc = &l->desc[l->nr];
	char (*text)[160] = l->text[l->nr];

	l->api[l->nr++] = api;
	*desc = (struct trn_type_desc){ .name = text[0], .pretty_name = text[1], .description = text[2], .adjustable = adjustable };
	desc->cost.amount[TRN_RESOURCE_MEMORY] = memory;
	return desc;
}

static void list_compute_types(struct type_list *l, uint64_t capacity)
{
	const uint32_t memory_bit = 1u << TRN_RESOURCE_MEMORY, time_bit = 1u << TRN_RESOURCE_TIME;
	const uint64_t any = capacity < 1024 * MIB ? capacity : 1024 * MIB;
	char size[BASE_SIZE_TEXT];
	char (*text)[160];

	for (uint64_t memory = 256 * MIB; memory <= capacity && l->nr < 32; memory *= 2) {
		text = l->text[l->nr];
		add_type(l, "compute", memory, time_bit);
		if (memory < 1024 * MIB)
			snprintf(text[0], sizeof(text[0]), "%llum", (unsigned long long)(memory / MIB));
		else
			snprintf(text[0], sizeof(text[0]), "%llug", (unsigned long long)(memory / (1024 * MIB)));
		snprintf(text[1], sizeof(text[1]), "Compute device, %s", base_size_format(memory, size));
		snprintf(text[2], sizeof(text[2]), "%s of memory; a share of time can be promised", size);
	}
	text = l->text[l->nr];
	add_type(l, "compute", any, memory_bit | time_bit);
	snprintf(text[0], sizeof(text[0]), "custom");
	snprintf(text[1], sizeof(text[1]), "Compute device of any size");
	snprintf(text[2], sizeof(text[2]), "memory as chosen; a share of time can be promised");
	text = l->text[l->nr];
	add_type(l, "vfio-pci", any, memory_bit | time_bit);
	snprintf(text[0], sizeof(text[0]), "pci");
	snprintf(text[1], sizeof(text[1]), "Compute device of any size for a virtual machine");
	snprintf(text[2], sizeof(text[2]), "for a guest with the driver tranche_accel; memory as chosen; a share of time can be promised");
}

static void list_driver_types(struct type_list *l, const struct daemon_driver *driver)
{
	size_t len = strlen(driver->name);

	for (size_t i = 0; i < driver->nr_types && l->nr < MAX_TYPES; i++) {
		const struct daemon_driver_type *type = &driver->types[i];
		bool has_prefix = !strncmp(type->name, driver->name, len) && type->name[len] == '-';

		l->api[l->nr] = type->device_api;
		l->desc[l->nr++] = (struct trn_type_desc){ .name = type->name + (has_prefix ? len + 1 : 0),
							   .pretty_name = type->pretty_name, .description = type->description,
							   .cost = type->cost, .adjustable = type->adjustable };
	}
}

static int register_types(struct daemon *d, const struct manager_parent_params *params, struct type_list *l,
			  struct trn_parent_desc *desc, struct trn_error *err)
{
	const struct daemon_driver *driver;

	if (!strcmp(params->driver, "compute")) {
		list_compute_types(l, params->memory);
		desc->capacity.amount[TRN_RESOURCE_MEMORY] = params->memory;
		desc->capacity.amount[TRN_RESOURCE_TIME] = 1000;
		return 0;
	}
	driver = daemon_driver_find(d, params->driver);
	if (!driver || !driver->nr_types) {
		trn_error_set(err, -EINVAL, "NoSuchDriver", "parent %s is to have the driver \"%.31s\", which there is not", params->name,
			      params->driver);
		return trn_error_hint(err, "tranche-device --list names the drivers");
	}
	list_driver_types(l, driver);
	desc->capacity = driver->capacity;
	return 0;
}

int daemon_types_register(struct daemon *d, const struct manager_parent_params *params, struct trn_parent **ret, struct trn_error *err)
{
	struct trn_parent_desc desc = { .name = params->name, .release = free };
	struct type_list *l = calloc(1, sizeof(*l));
	struct parent_driver *driver = NULL;
	int r = l ? register_types(d, params, l, &desc, err) : daemon_no_memory(err);

	if (r >= 0) {
		driver = make_driver(params->driver, l);
		r = driver ? 0 : daemon_no_memory(err);
	}
	if (r >= 0) {
		desc.ops = l->desc[0].ops;
		desc.priv = driver;
		desc.types = l->desc;
		desc.nr_types = l->nr;
		r = trn_parent_register(d->core, &desc, ret, err);
	}
	if (r < 0)
		free(driver);
	free(l);
	return r;
}

/* ------------------------------------------------------------ answers */

json_t *daemon_resources_json(const struct trn_resources *capacity, const struct trn_resources *amounts)
{
	json_t *json = json_object();

	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		if (capacity->amount[i])
			json_object_set_new(json, trn_resource_name((enum trn_resource)i), json_integer((json_int_t)amounts->amount[i]));
	return json;
}

static json_t *adjustable_json(struct trn_type *type)
{
	json_t *list = json_array();

	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		if (trn_type_adjustable(type) & (1u << i))
			json_array_append_new(list, json_string(trn_resource_name((enum trn_resource)i)));
	return list;
}

json_t *daemon_type_json(struct trn_type *type)
{
	struct trn_resources cost;

	trn_type_get_cost(type, &cost);
	return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:i, s:o, s:o}", "parent", trn_parent_name(trn_type_parent(type)), "name",
			 trn_type_name(type), "pretty_name", trn_type_pretty_name(type), "description", trn_type_description(type),
			 "device_api", trn_type_device_api(type), "available_instances", trn_type_get_available(type), "cost",
			 daemon_resources_json(&cost, &cost), "adjustable", adjustable_json(type));
}

json_t *daemon_type_names(struct trn_parent *parent)
{
	json_t *list = json_array();
	struct trn_type *type;

	for (size_t i = 0; (type = trn_type_at(parent, i)); i++)
		json_array_append_new(list, json_string(trn_type_name(type)));
	return list;
}

static json_t *types_of(struct daemon *d, const struct manager_parent *only)
{
	json_t *list = json_array();
	struct manager_parent *p;

	base_list_for_each(p, &d->parents, node) {
		struct trn_type *type;

		for (size_t i = 0; (!only || p == only) && (type = trn_type_at(p->core, i)); i++) {
			json_t *json = daemon_type_json(type);

			/* While it leaves nothing can be made. */
			if (p->leave)
				json_object_set_new(json, "available_instances", json_integer(0));
			json_array_append_new(list, json);
		}
	}
	return json_pack("{s:o}", "types", list);
}

int daemon_get_types(struct daemon *d, const struct daemon_peer *peer, const char *parent, const char *type, json_t **ret,
		     struct trn_error *err)
{
	struct manager_parent *p = NULL;
	struct trn_type *t = NULL;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r >= 0 && !d->knows_parents) {
		trn_error_set(err, -EAGAIN, "NotReady", "tranched has just started and still looks for parents");
		r = trn_error_hint(err, "try again in a moment");
	}
	if (r >= 0 && parent)
		r = daemon_parent_get(d, parent, &p, err);
	if (r < 0)
		return r;
	if (type) {
		t = p ? trn_type_find(p->core, type) : NULL;
		if (!t) {
			trn_error_set(err, -ENOENT, "NoSuchType", "parent %s has no type %.60s", parent ? parent : "(none)", type);
			return trn_error_hint(err, "list its types to see which it has");
		}
	}
	*ret = t ? daemon_type_json(t) : types_of(d, p);
	return *ret ? 0 : daemon_no_memory(err);
}
