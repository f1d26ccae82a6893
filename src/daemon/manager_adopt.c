/* SPDX-License-Identifier: MIT */
/*
 * Devices that were running before tranched: each has answered a handshake (process.h), and gets its place in the core by its record.
 * What it has is what it says itself: a change may have been told to it and not to the record.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/manager_priv.h"

/* The parent is not there any more, and its device is: it comes back for as long as it is needed. */
static int parent_for(struct daemon *d, const struct manager_spec *spec, json_t *record, struct manager_parent **ret,
		      struct trn_error *err)
{
	json_t *was = json_object_get(record, "parent");
	const char *driver = json_string_value(json_object_get(was, "driver"));
	struct manager_parent_params params = { .name = spec->parent, .driver = driver };
	char key[80];
	int r;

	*ret = daemon_parent_find(d, spec->parent);
	if (*ret)
		return 0;
	if (!driver) {
		trn_error_set(err, -EINVAL, "BadRecord", "the record of device %s names no driver", spec->uuid);
		return trn_error_hint(err, "start it anew");
	}
	params.host_device = (uint32_t)json_integer_value(json_object_get(was, "host_device"));
	params.memory = (uint64_t)json_integer_value(json_object_get(was, "memory"));
	params.host = daemon_host_at(d, params.host_device);
	r = daemon_parent_add(d, &params, ret, err);
	if (r >= 0) {
		struct trn_error vanished = { 0 };

		(*ret)->is_seen = false;
		trn_error_set(&vanished, -ENODEV, "ParentVanished", "parent %s is not there any more, and stays while it has devices",
			      spec->parent);
		trn_error_hint(&vanished, "stop its devices, then reload; or bring it back");
		snprintf(key, sizeof(key), "parent:%.63s", spec->parent);
		daemon_problem_set(d, key, &vanished, NULL);
	}
	return r;
}

/* A number that is somebody else's by now: the process has ended. */
static void bind_again(struct manager_device *dev, json_t *record)
{
	json_int_t pid = json_integer_value(json_object_get(record, "peer"));
	uint64_t start = (uint64_t)json_integer_value(json_object_get(record, "peer_start")), now = 0;

	if (!dev->spec.is_bound || pid <= 0)
		return;
	dev->peer_pid = (pid_t)pid;
	dev->peer_start = start;
	dev->peer_pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (dev->peer_pidfd >= 0 && start && (daemon_process_read_start((pid_t)pid, &now) < 0 || now != start))
		dev->peer_pidfd = base_close(dev->peer_pidfd);
	if (dev->peer_pidfd >= 0)
		daemon_device_watch_peer(dev);
	else
		dev->is_peer_gone = true;
}

static int adopt(struct manager_device *dev, json_t *record, const struct trnc_control_hello *hello, struct trn_error *err)
{
	struct trn_resources has, cost;
	int r = parent_for(dev->d, &dev->spec, record, &dev->parent, err);

	if (r >= 0)
		r = daemon_device_reserve(dev, dev->parent, err);
	if (r < 0 || !hello)
		return r;
	trn_device_get_resources(dev->core, &has);
	trn_type_get_cost(trn_device_type(dev->core), &cost);
	if (hello->memory && cost.amount[TRN_RESOURCE_MEMORY])
		has.amount[TRN_RESOURCE_MEMORY] = hello->memory;
	has.amount[TRN_RESOURCE_TIME] = hello->time;
	/* One that says what its type cannot have keeps what its record says. */
	if (trn_device_adjust(dev->core, &has, err) < 0)
		base_log_error(BASE_LOG_WARNING, err);
	*err = (struct trn_error){ 0 };
	return 0;
}

static int read_record(json_t *record, const char *uuid, struct manager_spec *spec, struct trn_error *err)
{
	const unsigned int fields = SPEC_UUID | SPEC_PLACE | SPEC_START | SPEC_REST | SPEC_LIFETIME;
	int r = daemon_spec_read(json_object_get(record, "device"), fields, spec, err);

	if (r >= 0 && (!spec->parent || !spec->type || strcmp(spec->uuid, uuid))) {
		trn_error_set(err, -EINVAL, "BadRecord", "the record of device %s is of another one", uuid);
		r = trn_error_hint(err, "start it anew");
	}
	return r;
}

/* As they were started, not as their folders are read. */
static void put_in_order(struct manager_device *dev)
{
	struct base_list *at = dev->d->devices.prev;

	for (; at != &dev->d->devices; at = at->prev) {
		const struct timespec *t = &base_container_of(at, struct manager_device, node)->started;

		if (t->tv_sec < dev->started.tv_sec || (t->tv_sec == dev->started.tv_sec && t->tv_nsec <= dev->started.tv_nsec))
			break;
	}
	/* Behind "at": before what follows it. */
	base_list_append(at->next, &dev->node);
}

static int found(void *manager, struct daemon_process *process, const char *uuid, json_t *record, const struct trnc_control_hello *hello,
		 const struct daemon_process_events **ret_events, void **ret_data)
{
	struct manager_spec spec = { 0 };
	struct manager_device *dev = NULL;
	struct daemon *d = manager;
	struct trn_error err = { 0 };
	int r = read_record(record, uuid, &spec, &err);

	if (r >= 0) {
		dev = daemon_device_make(d, &spec);
		r = dev ? adopt(dev, record, hello, &err) : daemon_no_memory(&err);
	}
	if (r < 0) {
		trn_error_prefix(&err, "a running device is ended: ");
		base_log_error(BASE_LOG_ERROR, &err);
		if (dev)
			daemon_device_free(dev);
		daemon_spec_clear(&spec);
		return r;
	}
	dev->process = process;
	dev->state = hello ? MANAGER_RUNNING : MANAGER_UNRESPONSIVE;
	daemon_device_set_started(dev, hello);
	put_in_order(dev);
	bind_again(dev, record);
	if (!hello)
		daemon_device_name_silent(dev);
	log_info("device %s was running", uuid);
	*ret_events = &daemon_device_events;
	*ret_data = dev;
	return 0;
}

static void stats_known(void *data, const struct trnc_control_stats *stats, const struct trn_error *err)
{
	struct manager_device *dev = data;

	if (!stats)
		return;
	dev->stats = *stats;
	daemon_history_wake(dev->d);
}

static void over(void *manager)
{
	const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };
	struct daemon *d = manager;
	struct manager_device *dev, *next;

	base_list_for_each_safe(dev, next, &d->devices, node) {
		daemon_tell(d, "device-added", daemon_device_json(dev));
		daemon_definition_note(d, dev->spec.uuid);
		daemon_parent_note(dev->parent);
		if (dev->is_peer_gone && !dev->stop)
			daemon_device_stop(dev, &force, NULL);
		else if (dev->state == MANAGER_RUNNING)
			(void)daemon_process_stats(dev->process, stats_known, dev);
	}
	d->is_adopted = true;
	daemon_autostart(d);
	daemon_step(d);
}

void daemon_adopt(struct daemon *d)
{
	struct trn_error err = { 0 };

	if (daemon_processes_adopt(d->processes, found, over, d, &err) >= 0)
		return;
	daemon_problem_set(d, "adopt", &err, d->config->runtime_dir);
	over(d);
}
