/* SPDX-License-Identifier: MIT */
/*
 * Starting a device: its place in the core (UUID, capacity), then its process; when that is ready it is confirmed, and only then does
 * anybody see it.  Whatever fails, all is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/manager_priv.h"

#define LEAST_DEFAULT (1ull << 30)
#define LEAST_STEP (1ull << 20)

struct manager_device *daemon_device_find(struct daemon *d, const char *uuid)
{
	struct manager_device *dev;

	base_list_for_each(dev, &d->devices, node)
		if (!strcmp(dev->spec.uuid, uuid))
			return dev;
	return NULL;
}

bool daemon_device_is_visible(const struct manager_device *dev)
{
	return dev->state == MANAGER_RUNNING || dev->state == MANAGER_UNRESPONSIVE;
}

int daemon_device_get(struct daemon *d, const char *text, struct manager_device **ret, struct trn_error *err)
{
	char uuid[TRN_UUID_SIZE];
	struct manager_device *dev;
	int r = daemon_uuid_parse(text, uuid, err);

	if (r < 0)
		return r;
	dev = daemon_device_find(d, uuid);
	if (dev && daemon_device_is_visible(dev)) {
		*ret = dev;
		return 0;
	}
	if ((dev && dev->state == MANAGER_STARTING) || (!dev && !d->is_adopted)) {
		if (dev)
			trn_error_set(err, -EAGAIN, "NotReady", "device %s is still being started", uuid);
		else
			trn_error_set(err, -EAGAIN, "NotReady", "it is not known yet whether there is a device %s", uuid);
		return trn_error_hint(err, "try again in a moment");
	}
	trn_error_set(err, -ENOENT, "NoSuchDevice", "there is no device %s", uuid);
	return trn_error_hint(err, "list the devices to see which there are");
}

/* ------------------------------------------------------------ its place */

/* No type that there is: one of the parent's that can have any memory. */
static bool is_any_size(const struct manager_spec *spec)
{
	return !strcmp(spec->type, "compute");
}

/* For who does not say: a quarter of the parent, at least 1 GiB, no more than is left. */
static uint64_t default_memory(const struct manager_parent *p)
{
	struct trn_resources total, left;
	uint64_t memory;

	trn_parent_get_capacity(p->core, &total, &left);
	memory = total.amount[TRN_RESOURCE_MEMORY] / 4 / LEAST_STEP * LEAST_STEP;
	if (memory < LEAST_DEFAULT)
		memory = LEAST_DEFAULT;
	/* With nothing left the core says so, of what is needed at least. */
	return memory > left.amount[TRN_RESOURCE_MEMORY] && left.amount[TRN_RESOURCE_MEMORY] ? left.amount[TRN_RESOURCE_MEMORY] : memory;
}

struct trn_type *daemon_device_type(struct manager_parent *p, const struct manager_spec *spec)
{
	if (is_any_size(spec))
		return trn_type_find(p->core, "compute-custom");
	return trn_type_find(p->core, spec->type);
}

int daemon_device_reserve(struct manager_device *dev, struct manager_parent *p, struct trn_error *err)
{
	struct trn_type *type = daemon_device_type(p, &dev->spec);
	struct trn_create_params params = { .uuid = dev->spec.uuid, .vm = dev->spec.vm };
	uint64_t memory = dev->spec.memory;
	struct trn_resources cost;

	if (!type) {
		trn_error_set(err, -ENOENT, "NoSuchType", "parent %s has no type %s", p->name, dev->spec.type);
		return trn_error_hint(err, "list its types to see which it has");
	}
	trn_type_get_cost(type, &cost);
	if (!memory && is_any_size(&dev->spec))
		memory = default_memory(p);
	if (memory && memory != cost.amount[TRN_RESOURCE_MEMORY])
		params.override |= 1u << TRN_RESOURCE_MEMORY;
	if (dev->spec.time)
		params.override |= 1u << TRN_RESOURCE_TIME;
	params.resources.amount[TRN_RESOURCE_MEMORY] = memory;
	params.resources.amount[TRN_RESOURCE_TIME] = dev->spec.time;
	daemon_parent_note(p);
	return trn_device_create(type, &params, &dev->core, err);
}

static void unwatch_peer(struct manager_device *dev)
{
	dev->peer_source = sd_event_source_disable_unref(dev->peer_source);
	dev->peer_pidfd = base_close(dev->peer_pidfd);
}

void daemon_device_free(struct manager_device *dev)
{
	daemon_problem_over(dev->d, "device", dev->spec.uuid);
	base_list_remove(&dev->node);
	if (dev->core) {
		(void)trn_device_remove(dev->core, NULL, NULL);
		trn_device_unref(dev->core);
		daemon_parent_note(dev->parent);
	}
	unwatch_peer(dev);
	daemon_history_free(dev->history);
	daemon_spec_clear(&dev->spec);
	free(dev);
}

json_t *daemon_device_record(const struct manager_device *dev)
{
	json_t *json = daemon_spec_json(&dev->spec);

	if (!json)
		return NULL;
	if (dev->spec.has_owner)
		json_object_set_new(json, "owner", json_integer((json_int_t)dev->spec.owner));
	json_object_set_new(json, "lifetime", json_string(dev->spec.is_bound ? "process" : "until-stopped"));
	return json_pack("{s:o, s:{s:s, s:I, s:I}, s:I, s:I}", "device", json, "parent", "driver", dev->parent->driver, "host_device",
			 (json_int_t)dev->parent->host_device, "memory", (json_int_t)dev->parent->memory, "peer",
			 (json_int_t)(dev->spec.is_bound ? dev->peer_pid : 0), "peer_start",
			 (json_int_t)(dev->spec.is_bound ? dev->peer_start : 0));
}

/* ------------------------------------------------------------ its life */

static void finish_start(struct manager_device *dev, const struct trn_error *err)
{
	struct daemon *d = dev->d;
	manager_started_fn fn = dev->started_fn;
	struct base_list starters = dev->starters;
	struct manager_parent *p = dev->parent;
	json_t *result = NULL;

	if (base_list_is_empty(&dev->starters)) {
		base_list_init(&starters);
	} else {
		starters.prev->next = &starters;
		starters.next->prev = &starters;
		base_list_init(&dev->starters);
	}
	if (err) {
		daemon_device_free(dev);
		dev = NULL;
	} else {
		result = daemon_device_json(dev);
		daemon_tell(d, "device-added", json_incref(result));
		daemon_definition_note(d, dev->spec.uuid);
		daemon_parent_note(p); /* it has one more */
	}
	daemon_waiters_answer(&starters, result, err);
	if (fn)
		fn(d, dev, err);
	daemon_parent_exit(p);
}

void daemon_device_set_started(struct manager_device *dev, const struct trnc_control_hello *hello)
{
	uint64_t now = daemon_now_ns(), age = hello && hello->started_ns && hello->started_ns < now ? now - hello->started_ns : 0;

	clock_gettime(CLOCK_REALTIME, &dev->started);
	now = (uint64_t)dev->started.tv_sec * 1000000000ull + (uint64_t)dev->started.tv_nsec - age;
	dev->started = (struct timespec){ .tv_sec = (time_t)(now / 1000000000ull), .tv_nsec = (long)(now % 1000000000ull) };
}

static void confirmed(void *data, const struct trn_error *err)
{
	const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };
	struct manager_device *dev = data;

	if (err) {
		/* ended() comes, and undoes it. */
		dev->start_err = *err;
		daemon_process_kill(dev->process);
		return;
	}
	dev->state = MANAGER_RUNNING;
	log_info("device %s runs", dev->spec.uuid);
	finish_start(dev, NULL);
	daemon_history_wake(dev->d);
	if (dev->is_peer_gone && !dev->parent->leave && !dev->stop)
		daemon_device_stop(dev, &force, NULL);
}

static void process_ready(void *data, const struct trnc_control_hello *hello)
{
	struct manager_device *dev = data;
	int r;

	daemon_device_set_started(dev, hello);
	if (dev->state == MANAGER_UNRESPONSIVE) {
		dev->state = MANAGER_RUNNING;
		daemon_problem_over(dev->d, "device", dev->spec.uuid);
		daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
		return;
	}
	if (dev->state != MANAGER_STARTING)
		return;
	r = daemon_process_confirm(dev->process, confirmed, dev);
	if (r < 0) {
		trn_error_set(&dev->start_err, r, "StartFailed", "device %s cannot be confirmed: %s", dev->spec.uuid, strerror(-r));
		trn_error_hint(&dev->start_err, "try again");
		daemon_process_kill(dev->process);
	}
}

/* Most sentences say already which device it is. */
static void name_device(const struct manager_device *dev, struct trn_error *err)
{
	if (!strstr(err->text, dev->spec.uuid))
		trn_error_prefix(err, "device %s: ", dev->spec.uuid);
}

static void process_failed(void *data, const struct trn_error *why)
{
	struct manager_device *dev = data;
	struct trn_error err = *why;

	dev->process = NULL;
	name_device(dev, &err);
	trn_error_hint(&err, "the log of tranched may say more");
	base_log_error(BASE_LOG_WARNING, &err);
	finish_start(dev, &err);
}

static void process_changed(void *data, const struct trnc_control_stats *stats)
{
	struct manager_device *dev = data;
	bool was = daemon_device_is_in_use(dev);

	dev->stats = *stats;
	if (!daemon_device_is_visible(dev))
		return;
	if (daemon_device_is_in_use(dev) != was)
		daemon_tell(dev->d, "device-changed", daemon_device_json(dev));
	daemon_history_wake(dev->d);
}

static void process_ended(void *data, const struct trn_error *why)
{
	struct manager_device *dev = data;
	struct manager_parent *p = dev->parent;
	struct daemon *d = dev->d;
	char uuid[TRN_UUID_SIZE];
	json_t *what;

	dev->process = NULL;
	if (dev->state == MANAGER_STARTING) {
		struct trn_error err = dev->start_err.code ? dev->start_err : why ? *why : (struct trn_error){ 0 };

		trn_error_set(&err, -EIO, "StartFailed", "device %s ended while it was started", dev->spec.uuid);
		trn_error_hint(&err, "the log of tranched may say more");
		name_device(dev, &err);
		finish_start(dev, &err);
		return;
	}
	if (dev->stop) {
		daemon_stop_ended(dev);
		return;
	}
	if (why && why->code)
		log_warning("device %s has ended: %s", dev->spec.uuid, why->text);
	what = daemon_device_json_removed(dev, why);
	memcpy(uuid, dev->spec.uuid, sizeof(uuid));
	daemon_device_free(dev);
	daemon_tell(d, "device-removed", what);
	daemon_definition_note(d, uuid);
	daemon_history_account(p);
	daemon_leave_step(p);
}

const struct daemon_process_events daemon_device_events = {
	.ready = process_ready,
	.failed = process_failed,
	.unresponsive = daemon_device_silent,
	.answers = daemon_device_answers,
	.changed = process_changed,
	.ended = process_ended,
};

/* ------------------------------------------------------------ lifetime "process" */

static int peer_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
	const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };
	struct manager_device *dev = data;

	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	dev->is_peer_gone = true;
	if (daemon_device_is_visible(dev) && !dev->stop && !dev->parent->leave)
		daemon_device_stop(dev, &force, NULL);
	return 0;
}

void daemon_device_watch_peer(struct manager_device *dev)
{
	/* Without it the device stays until it is stopped: nothing is lost. */
	if (dev->peer_pidfd >= 0)
		(void)sd_event_add_io(dev->d->event, &dev->peer_source, dev->peer_pidfd, POLLIN, peer_ended, dev);
}

static int bind_to_peer(struct manager_device *dev, const struct daemon_call *call, struct trn_error *err)
{
	if (!dev->spec.is_bound)
		return 0;
	if (call && call->peer_pidfd >= 0) {
		dev->peer_pidfd = fcntl(call->peer_pidfd, F_DUPFD_CLOEXEC, 3);
		dev->peer_pid = call->peer->pid;
		/* If it has ended meanwhile this is somebody else's: the descriptor says so now, and is what counts until we end. */
		if (daemon_process_read_start(dev->peer_pid, &dev->peer_start) < 0)
			dev->peer_start = 0;
	}
	if (dev->peer_pidfd < 0) {
		trn_error_set(err, -EINVAL, "NoProcess", "lifetime is \"process\", and who asks is not known as a process of this host");
		return trn_error_hint(err, "leave lifetime out, and stop the device when it is not needed any more");
	}
	daemon_device_watch_peer(dev);
	return 0;
}

/* ------------------------------------------------------------ begin */

static int choose_parent(struct daemon *d, struct manager_spec *spec, struct trn_error *err)
{
	struct manager_parent *p, *only = NULL;

	base_list_for_each(p, &d->parents, node) {
		if (!daemon_device_type(p, spec))
			continue;
		if (only) {
			trn_error_set(err, -EINVAL, "MissingField", "more than one parent has the type %s: %s and %s", spec->type,
				      only->name, p->name);
			return trn_error_hint(err, "say which, by parent");
		}
		only = p;
	}
	if (!only) {
		trn_error_set(err, -ENOENT, "NoSuchType", "no parent has the type %s", spec->type);
		return trn_error_hint(err, "list the types to see what there is");
	}
	spec->parent = strdup(only->name);
	return spec->parent ? 0 : daemon_no_memory(err);
}

static int resolve(struct daemon *d, struct manager_spec *spec, struct manager_parent **ret, struct trn_error *err)
{
	int r = daemon_spec_apply_attrs(spec, err);

	if (r >= 0 && !spec->type) {
		trn_error_set(err, -EINVAL, "MissingField", "a device needs a type");
		r = trn_error_hint(err, "list the types to see what there is");
	}
	if (r >= 0 && !d->is_adopted) {
		trn_error_set(err, -EAGAIN, "NotReady", "tranched has just started and still looks for devices");
		r = trn_error_hint(err, "try again in a moment");
	}
	if (r >= 0 && !spec->parent)
		r = choose_parent(d, spec, err);
	if (r >= 0)
		r = daemon_parent_get(d, spec->parent, ret, err);
	if (r >= 0)
		r = daemon_parent_check_stays(*ret, err);
	if (r >= 0)
		r = daemon_uuid_choose(spec->uuid, err);
	return r;
}

static int check_peer(const struct daemon_peer *peer, struct manager_spec *spec, struct trn_error *err)
{
	if (!spec->has_owner) {
		spec->has_owner = true;
		spec->owner = peer ? peer->uid : geteuid();
	}
	return peer ? daemon_check_owner(peer, spec, "the device", err) : 0;
}

/* Types of compute devices for programs are one to the process, which is told the size. */
static const char *process_type(const struct manager_device *dev)
{
	const struct trn_type *type = trn_device_type(dev->core);

	return dev->parent->is_compute && !strcmp(trn_type_device_api(type), "compute") ? "compute-memory" : trn_type_name(type);
}

static int start_process(struct manager_device *dev, struct trn_error *err)
{
	struct manager_parent *p = dev->parent;
	struct daemon_process_params params = { .uuid = dev->spec.uuid, .driver = p->driver, .parent = p->is_compute ? p->name : NULL,
						.host_device = p->host_device, .owner = dev->spec.owner };
	json_t *options = p->options ? json_deep_copy(p->options) : json_object();
	struct trn_resources has;
	int r;

	trn_device_get_resources(dev->core, &has);
	params.type = process_type(dev);
	params.memory = p->is_compute ? has.amount[TRN_RESOURCE_MEMORY] : 0;
	params.time = (uint32_t)has.amount[TRN_RESOURCE_TIME];
	if (dev->spec.options)
		json_object_update(options, dev->spec.options);
	params.options = options;
	params.record = daemon_device_record(dev);
	r = params.record ? daemon_process_start(dev->d->processes, &params, &daemon_device_events, dev, &dev->process, err) :
			    daemon_no_memory(err);
	json_decref(params.record);
	json_decref(options);
	return r;
}

struct manager_device *daemon_device_make(struct daemon *d, struct manager_spec *spec)
{
	struct manager_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->d = d;
	dev->spec = *spec;
	*spec = (struct manager_spec){ 0 };
	dev->peer_pidfd = -1;
	base_list_init(&dev->node);
	base_list_init(&dev->starters);
	return dev;
}

static int begin(struct daemon *d, struct manager_spec *spec, struct daemon_call *call, manager_started_fn fn, struct trn_error *err)
{
	struct manager_parent *p = NULL;
	struct manager_device *dev;
	int r = resolve(d, spec, &p, err);

	if (r >= 0)
		r = check_peer(call ? call->peer : NULL, spec, err);
	if (r < 0)
		return r;
	dev = daemon_device_make(d, spec);
	if (!dev)
		return daemon_no_memory(err);
	dev->parent = p;
	r = daemon_device_reserve(dev, dev->parent, err);
	if (r >= 0)
		r = bind_to_peer(dev, call, err);
	if (r >= 0 && call && daemon_waiter_add(&dev->starters, call, NULL, NULL) < 0)
		r = daemon_no_memory(err);
	if (r >= 0)
		r = start_process(dev, err);
	if (r < 0) {
		if (!base_list_is_empty(&dev->starters))
			daemon_waiter_forget(base_container_of(dev->starters.next, struct manager_waiter, node));
		daemon_device_free(dev);
		return r;
	}
	dev->parent->nr_inside++; /* until finish_start() */
	base_list_append(&d->devices, &dev->node);
	dev->started_fn = fn;
	return 0;
}

void daemon_device_begin(struct daemon *d, struct manager_spec *spec, struct daemon_call *call, manager_started_fn fn)
{
	struct trn_error err = { 0 };

	if (begin(d, spec, call, fn, &err) >= 0)
		return;
	daemon_spec_clear(spec);
	if (fn)
		fn(d, NULL, &err);
	daemon_done(call, NULL, &err);
}

void daemon_post_device(struct daemon *d, struct daemon_call *call, json_t *body)
{
	struct manager_spec spec = { 0 };
	struct trn_error err = { 0 };
	int r = daemon_check_right(call->peer, DAEMON_USE, &err);

	if (r >= 0)
		r = daemon_spec_read(body, SPEC_UUID | SPEC_PLACE | SPEC_REST | SPEC_LIFETIME, &spec, &err);
	if (r >= 0)
		r = daemon_definition_check_free(d, call->peer, spec.uuid, &err);
	if (r >= 0)
		r = daemon_check_options(call->peer, spec.options, &err);
	if (r >= 0) {
		daemon_device_begin(d, &spec, call, NULL);
		return;
	}
	daemon_spec_clear(&spec);
	daemon_done(call, NULL, &err);
}
