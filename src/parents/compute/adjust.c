/* SPDX-License-Identifier: MIT */
/*
 * Another quota, or another share of time, for a device that is in use.
 *
 * While tranche-parent is asked the smaller quota counts: so that it is right whatever the answer is.
 */
#include <errno.h>

#include "base/size.h"
#include "parents/compute/priv.h"

uint64_t compute_device_memory(const struct compute_device *d)
{
	struct trn_resources taken;

	trn_device_get_resources(d->dev, &taken);
	return d->takes_all ? 0 : taken.amount[TRN_RESOURCE_MEMORY];
}

uint32_t compute_device_time(const struct compute_device *d)
{
	struct trn_resources taken;

	trn_device_get_resources(d->dev, &taken);
	return (uint32_t)taken.amount[TRN_RESOURCE_TIME];
}

static bool changes_memory(const struct compute_change *c)
{
	return c->had.amount[TRN_RESOURCE_MEMORY] != c->want.amount[TRN_RESOURCE_MEMORY];
}

static int check(const struct compute_device *d, const struct compute_change *c, struct trn_error *err)
{
	uint64_t memory = c->want.amount[TRN_RESOURCE_MEMORY];
	char wanted[BASE_SIZE_TEXT], there[BASE_SIZE_TEXT];

	if (!changes_memory(c))
		return 0;
	base_size_format(memory, wanted);
	if (memory < d->stats.used) {
		trn_error_set(err, -EBUSY, "MemoryInUse", "programs have %s of the device's memory in use, it cannot become %s",
			      base_size_format(d->stats.used, there), wanted);
		return trn_error_hint(err, "choose more, or end programs first");
	}
	if (d->host_size && memory > d->host_size) {
		trn_error_set(err, -ERANGE, "MoreThanHost", "the device's memory is to be %s, host device %u has %s", wanted,
			      d->config->host_device, base_size_format(d->host_size, there));
		return trn_error_hint(err, "choose less memory");
	}
	return 0;
}

/* A guest's memory must be able to grow before anybody is told of it. */
static int make_room(const struct compute_device *d, const struct compute_change *c, struct trn_error *err)
{
	uint64_t memory = c->want.amount[TRN_RESOURCE_MEMORY];

	return d->face && memory > d->stats.quota ? compute_face_make_room(d->face, memory, err) : 0;
}

static void finish(struct compute_device *d, const struct trn_error *err)
{
	struct compute_change c = d->change;

	d->change.done = NULL;
	c.done(c.data, err);
}

void compute_change_answered(struct compute_device *d, const struct trn_error *err)
{
	const struct compute_change *c = &d->change;
	const struct trn_resources *now = err ? &c->had : &c->want;

	if (!c->done)
		return;
	if (err)
		(void)trn_device_adjust(d->dev, &c->had, NULL); /* the machine has this much: it was its own */
	if (changes_memory(c)) {
		d->takes_all = d->takes_all && err;
		d->stats.quota = now->amount[TRN_RESOURCE_MEMORY];
		if (d->host_size && d->stats.quota > d->host_size)
			d->stats.quota = d->host_size;
		if (d->face)
			compute_face_quota_changed(d->face);
		compute_device_start_tick(d); /* who waits for memory is looked at again */
	}
	finish(d, err);
}

void compute_device_set(struct trn_device *dev, const struct trn_resources *want,
			void (*done)(void *data, const struct trn_error *err), void *data)
{
	struct compute_device *d = to_compute(dev);
	struct compute_change *c = &d->change;
	struct trn_error err = { 0 };
	uint64_t memory;

	*c = (struct compute_change){ .want = *want, .done = done, .data = data };
	trn_device_get_resources(dev, &c->had);
	if (check(d, c, &err) < 0 || make_room(d, c, &err) < 0 || trn_device_adjust(dev, want, &err) < 0) {
		if (d->face) /* which may have made room */
			compute_face_quota_changed(d->face);
		finish(d, &err);
		return;
	}
	if (changes_memory(c) && want->amount[TRN_RESOURCE_MEMORY] < d->stats.quota)
		d->stats.quota = want->amount[TRN_RESOURCE_MEMORY];
	memory = d->takes_all && !changes_memory(c) ? 0 : want->amount[TRN_RESOURCE_MEMORY];
	if (!d->config->parent_socket)
		compute_change_answered(d, NULL);
	else if (compute_forker_update(&d->forker, memory, (uint32_t)want->amount[TRN_RESOURCE_TIME], &err) < 0)
		compute_change_answered(d, &err);
}
