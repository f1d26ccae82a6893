/* SPDX-License-Identifier: MIT */
#include "parents/null/null.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/range.h"

#define REGION_MEMORY 0
#define IRQ_WRITTEN 0
#define IRQ_REQUEST 1
#define NR_IRQS 2
#define MAX_UNITS 4096 /* per device; keeps sizes far from overflow */

struct null_irq {
	int fd; /* own duplicate; -1: not wired */
	const struct trn_use *owner; /* who wired it; its close unwires it */
};

struct null_device {
	pthread_mutex_t lock; /* protects irqs and the bytes of memory against each other's accesses */
	struct null_irq irqs[NR_IRQS];
	int fd; /* memfd of memory */
	uint8_t *memory;
	uint64_t size;
};

static struct null_device *to_null(const struct trn_device *dev)
{
	return trn_device_priv(dev);
}

static void fire_locked(const struct null_irq *irq)
{
	if (irq->fd >= 0)
		(void)eventfd_write(irq->fd, 1);
}

static void unwire_locked(struct null_irq *irq)
{
	irq->fd = base_close(irq->fd);
	irq->owner = NULL;
}

static int null_init(struct trn_device *dev, struct trn_error *err)
{
	struct trn_resources resources;
	struct null_device *null;
	int r = -ENOMEM;

	trn_device_get_resources(dev, &resources);
	if (resources.amount[TRN_RESOURCE_UNITS] > MAX_UNITS) {
		trn_error_set(err, -EINVAL, "TooBig", "a null device has at most %d units", MAX_UNITS);
		trn_error_hint(err, "choose less, or make several devices");
		return -EINVAL;
	}
	null = calloc(1, sizeof(*null));
	if (!null)
		goto fail;
	for (int i = 0; i < NR_IRQS; i++)
		null->irqs[i].fd = -1;
	null->size = resources.amount[TRN_RESOURCE_UNITS] * BASE_PAGE_SIZE;
	null->fd = base_memfd_create("null", null->size);
	if (null->fd < 0) {
		r = null->fd;
		goto free_null;
	}
	null->memory = mmap(NULL, null->size, PROT_READ | PROT_WRITE, MAP_SHARED, null->fd, 0);
	if (null->memory == MAP_FAILED) {
		r = -errno;
		goto close_fd;
	}
	r = -pthread_mutex_init(&null->lock, NULL);
	if (r < 0)
		goto unmap;
	trn_device_set_priv(dev, null);
	return 0;

unmap:
	munmap(null->memory, null->size);
close_fd:
	base_close(null->fd);
free_null:
	free(null);
fail:
	trn_error_set(err, r, "NoMemory", "no memory for the device: %s", strerror(-r));
	trn_error_hint(err, "free memory or descriptors on the host, then try again");
	return r;
}

static void null_release(struct trn_device *dev)
{
	struct null_device *null = to_null(dev);

	/* All uses are closed, so nothing is wired. */
	pthread_mutex_destroy(&null->lock);
	munmap(null->memory, null->size);
	base_close(null->fd);
	free(null);
}

static int null_open(struct trn_use *use, struct trn_error *err)
{
	return 0;
}

static void null_close(struct trn_use *use)
{
	struct null_device *null = to_null(trn_use_device(use));

	pthread_mutex_lock(&null->lock);
	for (int i = 0; i < NR_IRQS; i++)
		if (null->irqs[i].owner == use)
			unwire_locked(&null->irqs[i]);
	pthread_mutex_unlock(&null->lock);
}

static void null_request(struct trn_device *dev, unsigned int nr_asked)
{
	struct null_device *null = to_null(dev);

	pthread_mutex_lock(&null->lock);
	fire_locked(&null->irqs[IRQ_REQUEST]);
	pthread_mutex_unlock(&null->lock);
}

static int null_reset(struct trn_use *use)
{
	struct null_device *null = to_null(trn_use_device(use));

	pthread_mutex_lock(&null->lock);
	memset(null->memory, 0, null->size);
	pthread_mutex_unlock(&null->lock);
	return 0;
}

static int null_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	const struct null_device *null = to_null(trn_use_device(use));

	if (index == REGION_MEMORY)
		*ret = (struct trn_region_info){
			.size = null->size,
			.flags = TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP,
		};
	return 0;
}

static int null_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	struct null_device *null = to_null(trn_use_device(use));

	pthread_mutex_lock(&null->lock);
	if (is_write) {
		memcpy(null->memory + offset, buf, len);
		fire_locked(&null->irqs[IRQ_WRITTEN]);
	} else {
		memcpy(buf, null->memory + offset, len);
	}
	pthread_mutex_unlock(&null->lock);
	return 0;
}

static int null_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	int fd = fcntl(to_null(trn_use_device(use))->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret_offset = 0;
	return fd;
}

static int null_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret)
{
	if (index < NR_IRQS)
		*ret = (struct trn_irq_info){ .count = 1, .flags = TRN_IRQ_EVENTFD };
	return 0;
}

static int wire_locked(struct null_irq *irq, const struct trn_use *use, int fd)
{
	int own = -1;

	if (fd >= 0) {
		own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (own < 0)
			return -errno;
	}
	unwire_locked(irq);
	irq->fd = own;
	irq->owner = own >= 0 ? use : NULL;
	return 0;
}

/* Each kind has one interrupt, so a range that the core let through is that one or nothing. */
static int null_set_irqs(struct trn_use *use, const struct trn_irq_set *set)
{
	struct null_device *null = to_null(trn_use_device(use));
	struct null_irq *irq = &null->irqs[set->index];
	int r = 0;

	pthread_mutex_lock(&null->lock);
	if (set->data == TRN_IRQ_DATA_EVENTFD)
		r = wire_locked(irq, use, set->fds[0]);
	else if (set->count == 0)
		unwire_locked(irq);
	else if (set->data == TRN_IRQ_DATA_NONE || set->bools[0])
		fire_locked(irq);
	pthread_mutex_unlock(&null->lock);
	return r;
}

static const struct trn_device_ops null_ops = {
	.name = "null",
	.device_api = "null",
	.init = null_init,
	.release = null_release,
	.open = null_open,
	.close = null_close,
	.request = null_request,
	.reset = null_reset,
	.region_info = null_region_info,
	.region_rw = null_region_rw,
	.region_fd = null_region_fd,
	.irq_info = null_irq_info,
	.set_irqs = null_set_irqs,
	/* The device never touches its holder's memory. */
	.dma_map = NULL,
	.dma_unmap = NULL,
};

int null_parent_register(struct trn_core *core, const char *name, uint64_t nr_units, struct trn_parent **ret,
			 struct trn_error *err)
{
	static const struct trn_type_desc types[] = {
		{
			.name = "small",
			.pretty_name = "one page of memory",
			.cost.amount[TRN_RESOURCE_UNITS] = 1,
		},
		{
			.name = "big",
			.pretty_name = "four pages of memory, or as many as are asked for",
			.cost.amount[TRN_RESOURCE_UNITS] = 4,
			.adjustable = 1u << TRN_RESOURCE_UNITS,
		},
	};
	struct trn_parent_desc desc = {
		.name = name,
		.ops = &null_ops,
		.types = types,
		.nr_types = 2,
		.capacity.amount[TRN_RESOURCE_UNITS] = nr_units,
	};

	return trn_parent_register(core, &desc, ret, err);
}
