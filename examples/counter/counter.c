/* SPDX-License-Identifier: MIT */
/*
 * A complete mediated device: a counter.  Region 0 holds 8 bytes; each read of them returns a number that is one
 * higher than the last.  main() offers four such devices, makes one, uses it and cleans up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tranche/mdev.h>

/* --- The driver --- */

struct counter {
	_Atomic uint64_t value; /* several uses may read at the same time */
};

static int counter_init(struct trn_device *dev, struct trn_error *err)
{
	struct counter *counter = calloc(1, sizeof(*counter));

	if (!counter)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a counter");
	trn_device_set_priv(dev, counter);
	return 0;
}

static void counter_release(struct trn_device *dev)
{
	free(trn_device_priv(dev));
}

static int counter_reset(struct trn_use *use)
{
	struct counter *counter = trn_device_priv(trn_use_device(use));

	atomic_store(&counter->value, 0);
	return 0;
}

static int counter_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	(void)use;
	if (index == 0) {
		ret->size = sizeof(uint64_t);
		ret->flags = TRN_REGION_READ;
	}
	return 0;
}

/* The core lets only reads inside of region 0 through. */
static int counter_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len,
			     int is_write)
{
	struct counter *counter = trn_device_priv(trn_use_device(use));
	uint64_t value = atomic_fetch_add(&counter->value, 1);

	(void)index;
	(void)is_write;
	memcpy(buf, (const char *)&value + offset, len);
	return 0;
}

static const struct trn_device_ops counter_ops = {
	.name = "counter",
	.device_api = "example",
	.init = counter_init,
	.release = counter_release,
	.reset = counter_reset,
	.region_info = counter_region_info,
	.region_rw = counter_region_rw,
};

/* --- A program that uses it --- */

static int use_device(struct trn_device *dev, struct trn_error *err)
{
	struct trn_use *use = NULL;
	uint64_t value = 0;
	int r;

	r = trn_device_open(dev, "the example", NULL, &use, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 3 && r == 0; i++) {
		r = trn_use_region_read(use, 0, 0, &value, sizeof(value));
		printf("%s counts %" PRIu64 "\n", trn_device_uuid(dev), value);
	}
	trn_use_close(use);
	return r;
}

int main(void)
{
	static const struct trn_type_desc types[] = {
		{ .name = "1", .pretty_name = "a counter", .cost.amount[TRN_RESOURCE_UNITS] = 1 },
	};
	struct trn_parent_desc desc = {
		.name = "counters",
		.ops = &counter_ops,
		.types = types,
		.nr_types = 1,
		.capacity.amount[TRN_RESOURCE_UNITS] = 4,
	};
	struct trn_create_params params = { .uuid = "6a4ae4b6-58a9-4c92-a2b2-6eb9a6d9a1ad" };
	struct trn_core *core = trn_core_create();
	struct trn_parent *parent = NULL;
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };
	int r = -ENOMEM;

	if (core)
		r = trn_parent_register(core, &desc, &parent, &err);
	if (r == 0)
		r = trn_device_create(trn_type_find(parent, "counter-1"), &params, &dev, &err);
	if (r == 0)
		r = use_device(dev, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text[0] ? err.text : strerror(-r));

	trn_device_unref(dev);
	if (parent)
		trn_parent_unregister(parent, NULL, NULL); /* removes its devices too */
	trn_parent_unref(parent);
	trn_core_destroy(core);
	return r < 0 ? 1 : 0;
}
