/* SPDX-License-Identifier: MIT */
/* Parents: register, references, look-ups.  Unregister is in departure.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_priv.h"

/* Frees the memory of a parent however much of it was built; neither the driver nor the core hears of it. */
static void free_parent(struct trn_parent *parent)
{
	for (size_t i = 0; parent->types && i < parent->nr_types; i++) {
		free(parent->types[i].name);
		free(parent->types[i].pretty_name);
		free(parent->types[i].description);
	}
	free(parent->types);
	free(parent->name);
	free(parent);
}

static int build_type(struct trn_type *type, struct trn_parent *parent, const struct trn_type_desc *desc)
{
	size_t size = strlen(parent->ops->name) + 1 + strlen(desc->name) + 1;

	type->parent = parent;
	type->ops = desc->ops ? desc->ops : parent->ops;
	type->cost = desc->cost;
	type->adjustable = desc->adjustable;
	type->name = malloc(size);
	if (!type->name)
		return -ENOMEM;
	snprintf(type->name, size, "%s-%s", parent->ops->name, desc->name);
	type->pretty_name = strdup(desc->pretty_name ? desc->pretty_name : type->name);
	if (!type->pretty_name)
		return -ENOMEM;
	if (desc->description) {
		type->description = strdup(desc->description);
		if (!type->description)
			return -ENOMEM;
	}
	return 0;
}

static struct trn_parent *build_parent(struct trn_core *core, const struct trn_parent_desc *desc)
{
	struct trn_parent *parent = calloc(1, sizeof(*parent));

	if (!parent)
		return NULL;
	parent->core = core;
	parent->ops = desc->ops;
	parent->capacity = desc->capacity;
	parent->priv = desc->priv;
	parent->release = desc->release;
	base_list_init(&parent->node);
	base_list_init(&parent->devices);
	parent->nr_types = desc->nr_types;
	parent->types = calloc(desc->nr_types, sizeof(*parent->types));
	parent->name = strdup(desc->name);
	if (!parent->types || !parent->name)
		goto fail;
	for (size_t i = 0; i < desc->nr_types; i++)
		if (build_type(&parent->types[i], parent, &desc->types[i]) < 0)
			goto fail;
	return parent;

fail:
	free_parent(parent);
	return NULL;
}

static struct trn_parent *find_locked(struct trn_core *core, const char *name)
{
	struct trn_parent *parent;

	base_list_for_each(parent, &core->parents, node)
		if (strcmp(parent->name, name) == 0)
			return parent;
	return NULL;
}

int trn_parent_register(struct trn_core *core, const struct trn_parent_desc *desc, struct trn_parent **ret,
			struct trn_error *err)
{
	struct trn_parent *parent;
	int r;

	r = core_check_parent(desc, err);
	if (r < 0)
		return r;
	parent = build_parent(core, desc);
	if (!parent)
		return core_refuse(err, -ENOMEM, "NoMemory", "free memory on the host, then try again",
				   "no memory for parent %s", desc->name);

	pthread_mutex_lock(&core->lock);
	if (find_locked(core, desc->name)) {
		pthread_mutex_unlock(&core->lock);
		free_parent(parent);
		return core_refuse(err, -EEXIST, "NameInUse",
				   "choose another name, or unregister the other parent first",
				   "there is a parent %s already", desc->name);
	}
	core_ref_locked(core); /* dropped in trn_parent_unref() */
	parent->registered = true;
	parent->refs = 2; /* the caller's, and that of being registered, dropped by unregister */
	base_list_append(&core->parents, &parent->node);
	core_event_queue_locked(core, &parent->registered_event, TRN_EVENT_PARENT_REGISTERED, parent, NULL);
	pthread_mutex_unlock(&core->lock);
	core_event_deliver(core);
	*ret = parent;
	return 0;
}

struct trn_parent *trn_parent_ref(struct trn_parent *parent)
{
	pthread_mutex_lock(&parent->core->lock);
	parent->refs++;
	pthread_mutex_unlock(&parent->core->lock);
	return parent;
}

struct trn_parent *trn_parent_unref(struct trn_parent *parent)
{
	struct trn_core *core;
	bool last;

	if (!parent)
		return NULL;
	core = parent->core;
	pthread_mutex_lock(&core->lock);
	last = --parent->refs == 0;
	pthread_mutex_unlock(&core->lock);
	if (!last)
		return NULL;

	/* Unregistered, without devices and without queued events: all these hold references. */
	if (parent->release)
		parent->release(parent->priv);
	free_parent(parent);
	core_unref(core); /* pairs with trn_parent_register() */
	return NULL;
}

struct trn_parent *trn_parent_find(struct trn_core *core, const char *name)
{
	struct trn_parent *parent;

	pthread_mutex_lock(&core->lock);
	parent = find_locked(core, name);
	if (parent)
		parent->refs++; /* the caller's */
	pthread_mutex_unlock(&core->lock);
	return parent;
}

int trn_parent_list(struct trn_core *core, struct trn_parent ***ret, size_t *ret_nr)
{
	struct trn_parent *parent, **list;
	size_t nr = 0, at = 0;

	pthread_mutex_lock(&core->lock);
	base_list_for_each(parent, &core->parents, node)
		nr++;
	list = calloc(nr + 1, sizeof(struct trn_parent *));
	if (list) {
		base_list_for_each(parent, &core->parents, node) {
			parent->refs++; /* dropped in trn_parent_list_free() */
			list[at++] = parent;
		}
	}
	pthread_mutex_unlock(&core->lock);
	if (!list)
		return -ENOMEM;
	*ret = list;
	if (ret_nr)
		*ret_nr = nr;
	return 0;
}

void trn_parent_list_free(struct trn_parent **list)
{
	for (size_t i = 0; list && list[i]; i++)
		trn_parent_unref(list[i]);
	free(list);
}

const char *trn_parent_name(const struct trn_parent *parent)
{
	return parent->name;
}

void *trn_parent_priv(const struct trn_parent *parent)
{
	return parent->priv;
}

void trn_parent_get_capacity(struct trn_parent *parent, struct trn_resources *ret_total,
			     struct trn_resources *ret_left)
{
	if (ret_total)
		*ret_total = parent->capacity;
	if (ret_left) {
		*ret_left = parent->capacity;
		pthread_mutex_lock(&parent->core->lock);
		core_resources_sub(ret_left, &parent->used);
		pthread_mutex_unlock(&parent->core->lock);
	}
}
