/* SPDX-License-Identifier: MIT */
/*
 * Holds: what departure.c does for who can wait, in steps for who cannot, such as an event loop.  A hold is a flag beside
 * the device's state, so that nothing of a removal changes for a device that is held.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/core_priv.h"

static struct trn_core *core_of(const struct trn_device *dev)
{
	return dev->type->parent->core;
}

/* ----------------------------------------------------------------- uses */

void core_uses_changed_locked(const struct trn_device *dev)
{
	/* Fails only when the counter is full, and then the watcher wakes up anyway. */
	if (dev->uses_fd >= 0)
		(void)eventfd_write(dev->uses_fd, 1);
}

void trn_device_watch_uses(struct trn_device *dev, int fd)
{
	pthread_mutex_lock(&core_of(dev)->lock);
	dev->uses_fd = fd;
	pthread_mutex_unlock(&core_of(dev)->lock);
}

unsigned int trn_device_get_holders(struct trn_device *dev, char *buf, size_t len, unsigned int *ret_nr)
{
	const struct trn_use *use;
	unsigned int total, nr = 0;
	size_t at = 0;

	pthread_mutex_lock(&core_of(dev)->lock);
	total = dev->nr_uses;
	base_list_for_each(use, &dev->uses, node) {
		size_t size = strlen(use->holder) + 1;

		if (size > len - at)
			break;
		memcpy(buf + at, use->holder, size);
		at += size;
		nr++;
	}
	pthread_mutex_unlock(&core_of(dev)->lock);
	if (ret_nr)
		*ret_nr = nr;
	return total;
}

/* ---------------------------------------------------------------- holds */

static int hold_locked(struct trn_device *dev, enum trn_remove_policy policy, struct trn_error *err)
{
	if (dev->state == CORE_DEVICE_CREATING)
		return core_refuse(err, -EAGAIN, "NotReady", "try again in a moment", "device %s is still being created",
				   dev->uuid);
	if (dev->state == CORE_DEVICE_GONE)
		return core_refuse(err, -ENODEV, "NoSuchDevice", "list the devices to see which there are",
				   "device %s was removed", dev->uuid);
	if (dev->type->parent->leaving)
		return core_refuse(err, -ENODEV, "ParentLeaving", "choose another parent, or try again when it is back",
				   "parent %s is leaving and takes device %s along", dev->type->parent->name, dev->uuid);
	if (dev->held || dev->state == CORE_DEVICE_LEAVING)
		return core_refuse(err, -EALREADY, "HeldAlready", "wait for the one who holds it",
				   "device %s is %s", dev->uuid, dev->held ? "held already" : "being removed");
	if (policy == TRN_REMOVE_REFUSE && dev->nr_uses)
		return core_refuse_busy_locked(dev, -EBUSY, "in use", err);
	dev->held = true;
	return 0;
}

int trn_device_hold(struct trn_device *dev, enum trn_remove_policy policy, struct trn_error *err)
{
	int r;

	if (policy != TRN_REMOVE_REFUSE && policy != TRN_REMOVE_ASK)
		return core_refuse(err, -EINVAL, "BadPolicy", "use TRN_REMOVE_REFUSE or TRN_REMOVE_ASK",
				   "unknown policy of removal %d", (int)policy);
	pthread_mutex_lock(&core_of(dev)->lock);
	r = hold_locked(dev, policy, err);
	pthread_mutex_unlock(&core_of(dev)->lock);
	return r;
}

void trn_device_unhold(struct trn_device *dev)
{
	pthread_mutex_lock(&core_of(dev)->lock);
	dev->held = false;
	pthread_mutex_unlock(&core_of(dev)->lock);
}

int trn_device_ask_holders(struct trn_device *dev, unsigned int nr_asked)
{
	void (*request)(struct trn_device *dev, unsigned int nr_asked) = dev->type->ops->request;

	if (!request)
		return 0;
	request(dev, nr_asked);
	return 1;
}
