/* SPDX-License-Identifier: MIT */
/*
 * Uses: open, close, and the calls of a holder, which are checked here against what the driver says of itself,
 * so that no driver and no server has to do it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "core/core_priv.h"

static int admit_locked(struct trn_use *use, struct trn_error *err)
{
	struct trn_device *dev = use->dev;
	uint64_t max_uses = dev->resources.amount[TRN_RESOURCE_SESSIONS];

	if (dev->state == CORE_DEVICE_CREATING)
		return core_refuse(err, -EAGAIN, "NotReady", "try again in a moment",
				   "device %s is still being created", dev->uuid);
	if (dev->state != CORE_DEVICE_ACTIVE)
		return core_refuse(err, -ENODEV, "BeingRemoved", "use another device, or create it anew",
				   "device %s is %s", dev->uuid,
				   dev->state == CORE_DEVICE_GONE ? "removed" : "being removed");
	if (dev->held)
		return core_refuse(err, -ENODEV, "BeingHeld", "try again in a moment, or use another device",
				   "nobody new is let in at device %s, which may be removed soon", dev->uuid);
	if (max_uses && dev->nr_uses >= max_uses)
		return core_refuse(err, -EUSERS, "NoSession",
				   "end a program that uses it, or make a device with more sessions",
				   "device %s has %u sessions, all are taken", dev->uuid, dev->nr_uses);
	dev->nr_uses++; /* until expel() */
	dev->refs++; /* likewise */
	base_list_append(&dev->uses, &use->node);
	core_uses_changed_locked(dev);
	return 0;
}

static void expel(struct trn_use *use)
{
	struct trn_device *dev = use->dev;
	struct trn_core *core = dev->type->parent->core;

	pthread_mutex_lock(&core->lock);
	base_list_remove(&use->node);
	if (--dev->nr_uses == 0)
		core_departure_wake(dev->departure);
	core_uses_changed_locked(dev);
	pthread_mutex_unlock(&core->lock);
	free(use);
	trn_device_unref(dev); /* pairs with admit_locked() */
}

int trn_device_open(struct trn_device *dev, const char *holder, void *priv, struct trn_use **ret,
		    struct trn_error *err)
{
	const struct trn_device_ops *ops = dev->type->ops;
	struct trn_core *core = dev->type->parent->core;
	struct trn_use *use;
	size_t size;
	int r;

	if (!holder)
		holder = "somebody";
	r = core_check_text("holder", holder, err);
	if (r < 0)
		return r;
	size = strlen(holder) + 1;
	use = calloc(1, sizeof(*use) + size);
	if (!use)
		return core_refuse(err, -ENOMEM, "NoMemory", "free memory on the host, then try again",
				   "no memory to open device %s", dev->uuid);
	use->dev = dev;
	use->priv = priv;
	memcpy(use->holder, holder, size);

	pthread_mutex_lock(&core->lock);
	r = admit_locked(use, err);
	pthread_mutex_unlock(&core->lock);
	if (r < 0) {
		free(use);
		return r;
	}
	r = ops->open ? ops->open(use, err) : 0;
	if (r < 0) {
		core_refuse(err, r, "DriverFailed", "the log of the process that runs the driver may say more",
			    "driver %s failed: %s", ops->name, strerror(-r));
		trn_error_prefix(err, "device %s: ", dev->uuid);
		expel(use);
		return r;
	}
	*ret = use;
	return 0;
}

void trn_use_close(struct trn_use *use)
{
	if (!use)
		return;
	if (core_use_ops(use)->close)
		core_use_ops(use)->close(use);
	expel(use);
}

unsigned int trn_device_nr_uses(struct trn_device *dev)
{
	struct trn_core *core = dev->type->parent->core;
	unsigned int nr;

	pthread_mutex_lock(&core->lock);
	nr = dev->nr_uses;
	pthread_mutex_unlock(&core->lock);
	return nr;
}

struct trn_device *trn_use_device(const struct trn_use *use)
{
	return use->dev;
}

const char *trn_use_holder(const struct trn_use *use)
{
	return use->holder;
}

void *trn_use_priv(const struct trn_use *use)
{
	return use->priv;
}

void trn_use_set_priv(struct trn_use *use, void *priv)
{
	use->priv = priv;
}

int trn_use_reset(struct trn_use *use)
{
	return core_use_ops(use)->reset ? core_use_ops(use)->reset(use) : -EOPNOTSUPP;
}

void trn_use_info(struct trn_use *use, struct trn_device_info *ret)
{
	*ret = (struct trn_device_info){ 0 };
	if (core_use_ops(use)->info)
		core_use_ops(use)->info(use, ret);
	if (!core_use_ops(use)->reset)
		ret->flags &= ~TRN_DEVICE_RESET;
}

int trn_use_caps(struct trn_use *use, uint32_t index, struct trn_caps *caps)
{
	int r = 0;

	if (core_use_ops(use)->caps)
		r = core_use_ops(use)->caps(use, index, caps);
	return r < 0 ? r : 0;
}

int trn_use_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	struct trn_region_info info = { 0 };
	int r = 0;

	if (core_use_ops(use)->region_info)
		r = core_use_ops(use)->region_info(use, index, &info);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

static int access_region(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len,
			 uint32_t direction)
{
	struct trn_region_info info;
	int r;

	r = trn_use_region_info(use, index, &info);
	if (r < 0)
		return r;
	if (!info.size || !base_range_is_within(offset, len, info.size))
		return -EINVAL;
	if (!(info.flags & direction))
		return -EACCES;
	if (!len)
		return 0;
	r = core_use_ops(use)->region_rw(use, index, offset, buf, len, direction == TRN_REGION_WRITE);
	return r < 0 ? r : 0;
}

int trn_use_region_read(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len)
{
	return access_region(use, index, offset, buf, len, TRN_REGION_READ);
}

int trn_use_region_write(struct trn_use *use, uint32_t index, uint64_t offset, const void *buf, size_t len)
{
	/* region_rw has one buffer for both directions and does not write to it here. */
	return access_region(use, index, offset, (void *)(uintptr_t)buf, len, TRN_REGION_WRITE);
}

int trn_use_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	struct trn_region_info info;
	uint64_t offset = 0;
	int r;

	r = trn_use_region_info(use, index, &info);
	if (r < 0)
		return r;
	if (!info.size)
		return -EINVAL;
	if (!(info.flags & TRN_REGION_MMAP) || !core_use_ops(use)->region_fd)
		return -EOPNOTSUPP;
	r = core_use_ops(use)->region_fd(use, index, &offset);
	if (r >= 0)
		*ret_offset = offset;
	return r;
}

ssize_t trn_use_region_areas(struct trn_use *use, uint32_t index, struct trn_span *ret, size_t max)
{
	struct trn_region_info info;
	int r;

	r = trn_use_region_info(use, index, &info);
	if (r < 0)
		return r;
	if (!info.size)
		return -EINVAL;
	if (!(info.flags & TRN_REGION_MMAP))
		return -EOPNOTSUPP;
	if (core_use_ops(use)->region_areas)
		return core_use_ops(use)->region_areas(use, index, ret, max);
	if (max)
		*ret = (struct trn_span){ .start = 0, .len = info.size };
	return 1;
}

ssize_t trn_use_region_ioeventfds(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max)
{
	struct trn_region_info info;
	int r;

	r = trn_use_region_info(use, index, &info);
	if (r < 0)
		return r;
	if (!info.size)
		return -EINVAL;
	if (!core_use_ops(use)->region_ioeventfds)
		return 0;
	return core_use_ops(use)->region_ioeventfds(use, index, ret, max);
}

int trn_use_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret)
{
	struct trn_irq_info info = { 0 };
	int r = 0;

	if (core_use_ops(use)->irq_info)
		r = core_use_ops(use)->irq_info(use, index, &info);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}

/* Do data and action go together, and is the data there? */
static bool is_set_sane(const struct trn_irq_set *set, const struct trn_irq_info *info)
{
	if (!base_range_is_within(set->start, set->count, info->count))
		return false;
	if (set->action != TRN_IRQ_MASK && set->action != TRN_IRQ_UNMASK && set->action != TRN_IRQ_TRIGGER)
		return false;
	switch (set->data) {
	case TRN_IRQ_DATA_NONE:
		/* Nothing with nothing: unwire the kind.  Otherwise a range is meant. */
		return set->count || (set->action == TRN_IRQ_TRIGGER && !set->start);
	case TRN_IRQ_DATA_BOOL:
		return set->count && set->bools;
	case TRN_IRQ_DATA_EVENTFD:
		return set->count && set->fds && (info->flags & TRN_IRQ_EVENTFD);
	}
	return false;
}

int trn_use_set_irqs(struct trn_use *use, const struct trn_irq_set *set)
{
	struct trn_irq_info info;
	int r;

	r = trn_use_irq_info(use, set->index, &info);
	if (r < 0)
		return r;
	if (!info.count || !is_set_sane(set, &info))
		return -EINVAL;
	/* As VFIO: what is well said but not possible. */
	if (set->action != TRN_IRQ_TRIGGER && !(info.flags & TRN_IRQ_MASKABLE))
		return -ENOTTY;
	r = core_use_ops(use)->set_irqs(use, set);
	return r < 0 ? r : 0;
}

int trn_use_dma_map(struct trn_use *use, const struct trn_dma_map *map)
{
	int r = 0;

	if (!map->len || map->len > UINT64_MAX - map->iova || map->len > UINT64_MAX - map->offset)
		return -EINVAL;
	if (map->flags & ~(TRN_DMA_READ | TRN_DMA_WRITE))
		return -EINVAL;
	if (core_use_ops(use)->dma_map)
		r = core_use_ops(use)->dma_map(use, map);
	return r < 0 ? r : 0;
}

bool trn_use_never_dma(const struct trn_use *use)
{
	return core_use_ops(use)->never_dma;
}

int trn_use_dma_unmap(struct trn_use *use, uint64_t iova, uint64_t len)
{
	int r = 0;

	if (!len || len > UINT64_MAX - iova)
		return -EINVAL;
	if (core_use_ops(use)->dma_unmap)
		r = core_use_ops(use)->dma_unmap(use, iova, len);
	return r < 0 ? r : 0;
}

void trn_use_set_dma_ops(struct trn_use *use, const struct trn_dma_ops *ops)
{
	use->dma_ops = ops;
}

int trn_use_dma(struct trn_use *use, struct trn_dma_request *req)
{
	if (!req->len || req->len > UINT64_MAX - req->iova)
		return -EINVAL;
	return use->dma_ops ? use->dma_ops->access(use, req) : -EOPNOTSUPP;
}
