/* SPDX-License-Identifier: MIT */
/* Types: written once when their parent registers, read-only since. */
#include <limits.h>
#include <string.h>

#include "core/core_priv.h"

struct trn_type *trn_type_find(struct trn_parent *parent, const char *name)
{
	for (size_t i = 0; i < parent->nr_types; i++)
		if (strcmp(parent->types[i].name, name) == 0)
			return &parent->types[i];
	return NULL;
}

struct trn_type *trn_type_at(struct trn_parent *parent, size_t index)
{
	return index < parent->nr_types ? &parent->types[index] : NULL;
}

struct trn_parent *trn_type_parent(const struct trn_type *type)
{
	return type->parent;
}

const char *trn_type_name(const struct trn_type *type)
{
	return type->name;
}

const char *trn_type_pretty_name(const struct trn_type *type)
{
	return type->pretty_name;
}

const char *trn_type_description(const struct trn_type *type)
{
	return type->description;
}

const char *trn_type_device_api(const struct trn_type *type)
{
	return type->ops->device_api;
}

void trn_type_get_cost(const struct trn_type *type, struct trn_resources *ret)
{
	*ret = type->cost;
}

uint32_t trn_type_adjustable(const struct trn_type *type)
{
	return type->adjustable;
}

int trn_type_get_available(struct trn_type *type)
{
	struct trn_parent *parent = type->parent;
	uint64_t available = INT_MAX; /* readers of available_instances expect a signed int */

	pthread_mutex_lock(&parent->core->lock);
	if (!parent->registered || parent->leaving)
		available = 0;
	for (int i = 0; i < TRN_NR_RESOURCES; i++) {
		uint64_t left = parent->capacity.amount[i] - parent->used.amount[i];

		if (type->cost.amount[i] && left / type->cost.amount[i] < available)
			available = left / type->cost.amount[i];
	}
	pthread_mutex_unlock(&parent->core->lock);
	return (int)available;
}
