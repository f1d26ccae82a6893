/* SPDX-License-Identifier: MIT */
/*
 * Changing a device that runs: memory and time.  What it grows by is taken of the parent first and given back if the device refuses;
 * what it shrinks by is given back when the device has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

struct manager_change {
	struct manager_device *dev;
	struct base_list waiters;
	struct trn_resources had, want;
	struct manager_spec spec; /* as it will be */
};

static void keep_record(struct manager_device *dev)
{
	json_t *record = daemon_device_record(dev);
	struct trn_error err = { 0 };

	/* The device itself says what it has when it is adopted: nothing that counts is lost. */
	if (record && dev->process && daemon_process_set_record(dev->process, record, &err) < 0)
		base_log_error(BASE_LOG_WARNING, &err);
	json_decref(record);
}

static void finish(struct manager_change *c, const struct trn_error *err)
{
	struct manager_device *dev = c->dev;
	struct trn_error lost = { 0 };

	dev->change = NULL;
	if (trn_device_adjust(dev->core, err ? &c->had : &c->want, &lost) < 0)
		base_log_error(BASE_LOG_WARNING, &lost);
	if (!err) {
		daemon_spec_clear(&dev->spec);
		dev->spec = c->spec;
		c->spec = (struct manager_spec){ 0 };
		keep_record(dev);
		daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
	}
	daemon_parent_note(dev->parent);
	daemon_waiters_answer(&c->waiters, err ? NULL : daemon_device_json(dev), err);
	daemon_spec_clear(&c->spec);
	free(c);
	daemon_leave_step(dev->parent);
}

static void was_set(void *data, const struct trn_error *err)
{
	struct manager_change *c = data;
	struct trn_error why;

	if (!err) {
		finish(c, NULL);
		return;
	}
	why = *err;
	trn_error_hint(&why, "all is as before; free some of its memory, or choose another amount");
	finish(c, &why);
}

static int read_change(struct manager_device *dev, json_t *body, struct manager_spec *spec, struct trn_error *err)
{
	json_t *attrs = json_object_get(body, "attrs");
	struct trn_resources has;
	uid_t owner;
	int r;

	trn_device_get_resources(dev->core, &has);
	if (daemon_spec_copy(spec, &dev->spec) < 0)
		return daemon_no_memory(err);
	owner = spec->owner;
	spec->memory = has.amount[TRN_RESOURCE_MEMORY];
	spec->time = (uint32_t)has.amount[TRN_RESOURCE_TIME];
	r = daemon_spec_read(body, SPEC_LIVE, spec, err);
	if (r >= 0 && attrs)
		r = daemon_spec_apply_attrs(spec, err);
	if (r >= 0 && spec->owner != owner) {
		trn_error_set(err, -EINVAL, "BadField", "owner of the running device %s cannot be changed", spec->uuid);
		r = trn_error_hint(err, "change its definition, then stop and start it");
	}
	return r;
}

/* What both amounts fit into. */
static void larger(const struct trn_resources *a, const struct trn_resources *b, struct trn_resources *ret)
{
	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		ret->amount[i] = a->amount[i] > b->amount[i] ? a->amount[i] : b->amount[i];
}

static int begin(struct manager_change *c, struct trn_error *err)
{
	struct manager_device *dev = c->dev;
	struct trnc_control_set set = { .time = TRNC_CONTROL_TIME_KEEP };
	struct trn_resources both;
	int r;

	trn_device_get_resources(dev->core, &c->had);
	c->want = c->had;
	/* null: what the type has. */
	if (!c->spec.memory) {
		struct trn_resources cost;

		trn_type_get_cost(trn_device_type(dev->core), &cost);
		c->spec.memory = cost.amount[TRN_RESOURCE_MEMORY];
	}
	c->want.amount[TRN_RESOURCE_MEMORY] = c->spec.memory;
	c->want.amount[TRN_RESOURCE_TIME] = c->spec.time;
	if (!memcmp(&c->want, &c->had, sizeof(c->want)))
		return 1;
	if (c->want.amount[TRN_RESOURCE_MEMORY] != c->had.amount[TRN_RESOURCE_MEMORY])
		set.memory = c->spec.memory;
	if (c->want.amount[TRN_RESOURCE_TIME] != c->had.amount[TRN_RESOURCE_TIME])
		set.time = c->spec.time;
	larger(&c->had, &c->want, &both);
	r = trn_device_adjust(dev->core, &both, err);
	if (r < 0)
		return r;
	dev->change = c;
	r = daemon_process_set(dev->process, &set, was_set, c);
	if (r >= 0)
		return 0;
	dev->change = NULL;
	(void)trn_device_adjust(dev->core, &c->had, NULL);
	trn_error_set(err, r, "Failed", "device %s cannot be changed: %s", dev->spec.uuid, strerror(-r));
	trn_error_hint(err, "try again");
	return r;
}

static struct manager_device *check(struct daemon *d, const struct daemon_peer *peer, const char *uuid, struct trn_error *err)
{
	struct manager_device *dev = NULL;
	int r = daemon_check_right(peer, DAEMON_USE, err);

	if (r >= 0)
		r = daemon_device_get(d, uuid, &dev, err);
	if (r >= 0)
		r = daemon_check_owner(peer, &dev->spec, "the device", err);
	if (r >= 0)
		r = daemon_parent_check_stays(dev->parent, err);
	if (r < 0)
		return NULL;
	if (dev->change || dev->stop || dev->state != MANAGER_RUNNING) {
		trn_error_set(err, -EAGAIN, "NotReady", "device %s is being %s", dev->spec.uuid,
			      dev->stop ? "stopped" : dev->change ? "changed" : "waited for: it does not answer");
		trn_error_hint(err, "try again in a moment");
		return NULL;
	}
	return dev;
}

static int patch(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body, struct manager_change *c,
		 struct trn_error *err)
{
	struct manager_device *dev = check(d, call->peer, uuid, err);
	int r;

	if (!dev)
		return err->code;
	c->dev = dev;
	r = read_change(dev, body, &c->spec, err);
	if (r >= 0 && daemon_waiter_add(&c->waiters, call, NULL, NULL) < 0)
		r = daemon_no_memory(err);
	if (r < 0)
		return r;
	r = begin(c, err);
	if (r > 0)
		finish(c, NULL);
	if (r < 0)
		daemon_waiter_forget(base_container_of(c->waiters.next, struct manager_waiter, node));
	return r;
}

void daemon_patch_device(struct daemon *d, struct daemon_call *call, const char *uuid, json_t *body)
{
	struct manager_change *c = calloc(1, sizeof(*c));
	struct trn_error err = { 0 };
	int r;

	if (c)
		base_list_init(&c->waiters);
	r = c ? patch(d, call, uuid, body, c, &err) : daemon_no_memory(&err);
	if (r >= 0)
		return;
	if (c)
		daemon_spec_clear(&c->spec);
	free(c);
	daemon_done(call, NULL, &err);
}
