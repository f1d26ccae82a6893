/* SPDX-License-Identifier: MIT */
/* Devices: create, references, look-ups.  Remove is in departure.c, uses are in use.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/core_priv.h"

struct trn_device *core_device_by_uuid_locked(struct trn_core *core, const char *uuid)
{
	struct trn_device *dev;

	base_list_for_each(dev, &core->devices, node)
		if (strcmp(dev->uuid, uuid) == 0)
			return dev;
	return NULL;
}

/* The type's cost with what the creator chose instead. */
static int choose_resources(const struct trn_type *type, const struct trn_create_params *params,
			    struct trn_resources *ret, struct trn_error *err)
{
	*ret = type->cost;
	if (params->override >> TRN_NR_RESOURCES)
		return core_refuse(err, -EINVAL, "BadResource", "set bits of enum trn_resource only",
				   "unknown resources are asked for");
	for (int i = 0; i < TRN_NR_RESOURCES; i++) {
		const char *name = trn_resource_name((enum trn_resource)i);

		if (!(params->override & (1u << i)))
			continue;
		if (!(type->adjustable & (1u << i)))
			return core_refuse(err, -EINVAL, "BadResource", "choose a type that has what you need",
					   "%s cannot be chosen for type %s", name, type->name);
		if (!params->resources.amount[i])
			return core_refuse(err, -EINVAL, "BadResource", "ask for more, or leave it to the type",
					   "%s of a device cannot be 0", name);
		ret->amount[i] = params->resources.amount[i];
	}
	return 0;
}

static int build_device(struct trn_type *type, const struct trn_create_params *params, struct trn_device **ret,
			struct trn_error *err)
{
	const char *owner = params->owner ? params->owner : "";
	const char *vm = params->vm ? params->vm : "";
	size_t owner_size, vm_size;
	struct trn_resources resources;
	char uuid[TRN_UUID_SIZE];
	struct trn_device *dev;
	int r;

	r = trn_uuid_parse(params->uuid ? params->uuid : "", params->uuid ? strlen(params->uuid) : 0, uuid, err);
	if (r < 0)
		return r;
	r = core_check_text("owner", owner, err);
	if (r < 0)
		return r;
	r = core_check_text("VM", vm, err);
	if (r < 0)
		return r;
	r = choose_resources(type, params, &resources, err);
	if (r < 0)
		return r;

	owner_size = strlen(owner) + 1;
	vm_size = strlen(vm) + 1;
	dev = calloc(1, sizeof(*dev) + owner_size + vm_size);
	if (!dev) {
		core_refuse(err, -ENOMEM, "NoMemory", "free memory on the host, then try again",
			    "no memory for device %s", uuid);
		return -ENOMEM;
	}
	dev->type = type;
	dev->state = CORE_DEVICE_CREATING;
	dev->resources = resources;
	dev->uses_fd = -1;
	base_list_init(&dev->uses);
	memcpy(dev->uuid, uuid, sizeof(uuid));
	dev->owner = memcpy(dev->strings, owner, owner_size);
	dev->vm = memcpy(dev->strings + owner_size, vm, vm_size);
	*ret = dev;
	return 0;
}

/* Takes a place for the device: its UUID, its share of the capacity, and a stay inside the parent. */
static int admit_locked(struct trn_device *dev, struct trn_error *err)
{
	struct trn_parent *parent = dev->type->parent;
	const struct trn_device *other = core_device_by_uuid_locked(parent->core, dev->uuid);
	int r;

	if (other)
		return core_refuse(err, -EEXIST, "UuidInUse", "choose another UUID",
				   "there is a device %s already, of parent %s%s", dev->uuid, other->type->parent->name,
				   other->state == CORE_DEVICE_GONE ? ", removed but still referenced" : "");
	r = core_resources_check_left(parent, &dev->resources, err);
	if (r < 0)
		return r;
	if (!parent->registered || parent->leaving)
		return core_refuse(err, -ENODEV, "ParentLeaving",
				   "choose another parent, or try again when it is back", "parent %s is leaving",
				   parent->name);

	core_resources_add(&parent->used, &dev->resources); /* given back in trn_device_unref() */
	parent->refs++; /* likewise */
	parent->nr_inside++; /* until create is done */
	dev->refs = 1; /* the core's, dropped by remove, or at once when init fails */
	base_list_append(&parent->core->devices, &dev->node);
	base_list_append(&parent->devices, &dev->sibling);
	return 0;
}

int trn_device_create(struct trn_type *type, const struct trn_create_params *params, struct trn_device **ret,
		      struct trn_error *err)
{
	struct trn_parent *parent = type->parent;
	struct trn_core *core = parent->core;
	struct trn_device *dev;
	int r;

	r = build_device(type, params, &dev, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&core->lock);
	r = admit_locked(dev, err);
	pthread_mutex_unlock(&core->lock);
	if (r < 0) {
		free(dev);
		return r;
	}

	r = type->ops->init(dev, err);
	if (r < 0) {
		core_refuse(err, r, "DriverFailed", "the log of the process that runs the driver may say more",
			    "driver %s failed: %s", type->ops->name, strerror(-r));
		trn_error_prefix(err, "device %s: ", dev->uuid);
		pthread_mutex_lock(&core->lock);
		dev->state = CORE_DEVICE_GONE;
		core_parent_exit_locked(parent);
		pthread_mutex_unlock(&core->lock);
		/* Gives UUID and capacity back, now or when the last look at the failed device ends. */
		trn_device_unref(dev);
		return r;
	}

	pthread_mutex_lock(&core->lock);
	dev->initialised = true;
	dev->state = CORE_DEVICE_ACTIVE;
	if (ret)
		dev->refs++; /* the caller's */
	core_event_queue_locked(core, &dev->added_event, TRN_EVENT_DEVICE_ADDED, parent, dev);
	core_parent_exit_locked(parent);
	pthread_mutex_unlock(&core->lock);
	core_event_deliver(core);
	if (ret)
		*ret = dev;
	return 0;
}

struct trn_device *trn_device_ref(struct trn_device *dev)
{
	struct trn_core *core = dev->type->parent->core;

	pthread_mutex_lock(&core->lock);
	dev->refs++;
	pthread_mutex_unlock(&core->lock);
	return dev;
}

struct trn_device *trn_device_unref(struct trn_device *dev)
{
	struct trn_parent *parent;
	struct trn_core *core;
	bool last;

	if (!dev)
		return NULL;
	parent = dev->type->parent;
	core = parent->core;
	pthread_mutex_lock(&core->lock);
	last = --dev->refs == 0;
	pthread_mutex_unlock(&core->lock);
	if (!last)
		return NULL;

	/* Gone and unused.  It stays in the lists, so its UUID stays taken, until the driver is done with it. */
	if (dev->initialised)
		dev->type->ops->release(dev);
	pthread_mutex_lock(&core->lock);
	base_list_remove(&dev->node);
	base_list_remove(&dev->sibling);
	core_resources_sub(&parent->used, &dev->resources);
	pthread_mutex_unlock(&core->lock);
	free(dev);
	trn_parent_unref(parent); /* pairs with admit_locked() */
	return NULL;
}

int trn_device_find(struct trn_core *core, const char *uuid, struct trn_device **ret, struct trn_error *err)
{
	char name[TRN_UUID_SIZE];
	struct trn_device *dev;
	int r;

	r = trn_uuid_parse(uuid, strlen(uuid), name, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&core->lock);
	dev = core_device_by_uuid_locked(core, name);
	if (!dev || dev->state == CORE_DEVICE_GONE)
		r = core_refuse(err, -ENODEV, "NoSuchDevice", "list the devices to see which there are",
				"there is no device %s", name);
	else if (dev->state == CORE_DEVICE_CREATING)
		r = core_refuse(err, -EAGAIN, "NotReady", "try again in a moment",
				"device %s is still being created", name);
	else
		dev->refs++; /* the caller's */
	pthread_mutex_unlock(&core->lock);
	if (r == 0)
		*ret = dev;
	return r;
}

static bool is_listed(const struct trn_device *dev, const struct trn_parent *parent)
{
	return (!parent || dev->type->parent == parent) &&
	       (dev->state == CORE_DEVICE_ACTIVE || dev->state == CORE_DEVICE_LEAVING);
}

int trn_device_list(struct trn_core *core, const struct trn_parent *parent, struct trn_device ***ret,
		    size_t *ret_nr)
{
	struct trn_device *dev, **list;
	size_t nr = 0, at = 0;

	pthread_mutex_lock(&core->lock);
	base_list_for_each(dev, &core->devices, node)
		nr += is_listed(dev, parent);
	list = calloc(nr + 1, sizeof(struct trn_device *));
	if (list) {
		base_list_for_each(dev, &core->devices, node) {
			if (!is_listed(dev, parent))
				continue;
			dev->refs++; /* dropped in trn_device_list_free() */
			list[at++] = dev;
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

void trn_device_list_free(struct trn_device **list)
{
	for (size_t i = 0; list && list[i]; i++)
		trn_device_unref(list[i]);
	free(list);
}

const char *trn_device_uuid(const struct trn_device *dev)
{
	return dev->uuid;
}

struct trn_type *trn_device_type(const struct trn_device *dev)
{
	return dev->type;
}

const struct trn_device_ops *trn_device_get_ops(const struct trn_device *dev)
{
	return dev->type->ops;
}

const char *trn_device_owner(const struct trn_device *dev)
{
	return dev->owner;
}

const char *trn_device_vm(const struct trn_device *dev)
{
	return dev->vm;
}

void trn_device_get_resources(const struct trn_device *dev, struct trn_resources *ret)
{
	struct trn_core *core = dev->type->parent->core;

	pthread_mutex_lock(&core->lock);
	*ret = dev->resources;
	pthread_mutex_unlock(&core->lock);
}

/* Also refuses what admit_locked() would not have let the device have. */
static int check_adjustable(const struct trn_device *dev, const struct trn_resources *want, struct trn_error *err)
{
	const struct trn_type *type = dev->type;

	for (int i = 0; i < TRN_NR_RESOURCES; i++) {
		const char *name = trn_resource_name((enum trn_resource)i);

		if (want->amount[i] == dev->resources.amount[i])
			continue;
		if (!(type->adjustable & (1u << i)))
			return core_refuse(err, -EINVAL, "BadResource", "choose a type that has what you need",
					   "%s cannot be chosen for type %s", name, type->name);
		if (!want->amount[i] && type->cost.amount[i])
			return core_refuse(err, -EINVAL, "BadResource", "ask for more",
					   "%s of a device of type %s cannot be 0", name, type->name);
	}
	return 0;
}

int trn_device_adjust(struct trn_device *dev, const struct trn_resources *want, struct trn_error *err)
{
	struct trn_parent *parent = dev->type->parent;
	struct trn_resources had;
	int r;

	pthread_mutex_lock(&parent->core->lock);
	had = dev->resources;
	if (dev->state == CORE_DEVICE_CREATING)
		r = core_refuse(err, -EAGAIN, "NotReady", "try again in a moment", "device %s is still being created", dev->uuid);
	else if (dev->state == CORE_DEVICE_GONE)
		r = core_refuse(err, -ENODEV, "NoSuchDevice", "list the devices to see which there are", "device %s was removed",
				dev->uuid);
	else
		r = check_adjustable(dev, want, err);
	if (r == 0) {
		core_resources_sub(&parent->used, &had);
		r = core_resources_check_left(parent, want, err);
		if (r == 0)
			dev->resources = *want;
		core_resources_add(&parent->used, &dev->resources);
	}
	pthread_mutex_unlock(&parent->core->lock);
	return r;
}

void *trn_device_priv(const struct trn_device *dev)
{
	return dev->priv;
}

void trn_device_set_priv(struct trn_device *dev, void *priv)
{
	dev->priv = priv;
}
