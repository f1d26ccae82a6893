/* SPDX-License-Identifier: MIT */
/* A device as clients see it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/manager_priv.h"

bool daemon_device_is_in_use(const struct manager_device *dev)
{
	return dev->stats.sessions_now > 0;
}

json_t *daemon_instant_json(const struct timespec *t)
{
	char text[40];
	struct tm tm;
	size_t n;

	gmtime_r(&t->tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(t->tv_nsec / 1000000) % 1000);
	return json_string(text);
}

static const char *state_name(const struct manager_device *dev)
{
	if (dev->state == MANAGER_STARTING)
		return "starting";
	if (dev->stop || dev->state == MANAGER_GONE)
		return "stopping";
	return dev->state == MANAGER_UNRESPONSIVE ? "unresponsive" : "running";
}

struct figure {
	const char *name;
	uint64_t value;
};

/* Other PCI devices do not count what their guests do. */
static bool is_of_a_guest(const struct manager_device *dev)
{
	return dev->parent->is_compute && !strcmp(trn_type_device_api(trn_device_type(dev->core)), "vfio-pci");
}

static json_t *stats_json(const struct manager_device *dev)
{
	const struct trnc_control_stats *s = &dev->stats;
	const struct trnc_parent_account *a = &dev->account;
	const struct figure figures[] = {
		{ "sessions_now", s->sessions_now },
		{ "sessions", s->sessions },
		{ "used", s->used },
		{ "peak", s->peak },
		{ "granted", s->granted },
		{ "refused", s->refused },
		{ "behind", a->memory_behind > s->behind ? a->memory_behind : s->behind },
		{ "executors_now", s->executors_now },
		{ "executors_lost", s->executors_lost },
		{ "commands", s->commands },
		{ "compiled", s->compiled },
		{ "stored", s->stored },
		{ "busy_ns", a->busy_ns },
		{ "wait_ns", a->wait_ns },
		{ "slices", a->slices },
		{ "stops", a->stops },
		{ "longest_wait_ns", a->longest_wait_ns },
		{ "cpu_ns", a->cpu_ns > s->cpu_ns ? a->cpu_ns : s->cpu_ns },
	};
	const struct figure guest_figures[] = {
		{ "traps", s->traps },
		{ "doorbells", s->doorbells },
		{ "interrupts", s->interrupts },
	};
	json_t *json = json_object();

	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		json_object_set_new(json, figures[i].name, json_integer((json_int_t)figures[i].value));
	if (is_of_a_guest(dev))
		for (size_t i = 0; i < sizeof(guest_figures) / sizeof(*guest_figures); i++)
			json_object_set_new(json, guest_figures[i].name, json_integer((json_int_t)guest_figures[i].value));
	json_object_set_new(json, "share", json_real(dev->share));
	return json;
}

json_t *daemon_device_json(struct manager_device *dev)
{
	struct trn_type *type = trn_device_type(dev->core);
	const struct manager_spec *s = &dev->spec;
	struct trn_resources has;

	trn_device_get_resources(dev->core, &has);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:I, s:s, s:o, s:b, s:o}", "uuid", s->uuid,
			 "parent", dev->parent->name, "type", trn_type_name(type), "device_api", trn_type_device_api(type), "state",
			 state_name(dev), "defined", daemon_definition_find(dev->d, s->uuid) != NULL, "lifetime",
			 s->is_bound ? "process" : "until-stopped", "memory",
			 has.amount[TRN_RESOURCE_MEMORY] ? json_integer((json_int_t)has.amount[TRN_RESOURCE_MEMORY]) : json_null(),
			 "time", daemon_time_json((uint32_t)has.amount[TRN_RESOURCE_TIME]), "owner",
			 daemon_owner_name(dev->d, s->owner), "vm", s->vm ? s->vm : "", "attrs",
			 s->attrs ? json_deep_copy(s->attrs) : json_array(), "options",
			 s->options ? json_deep_copy(s->options) : json_object(), "pid",
			 (json_int_t)(dev->process ? daemon_process_pid(dev->process) : 0), "socket",
			 dev->process ? daemon_process_socket(dev->process) : "", "started", daemon_instant_json(&dev->started),
			 "in_use", daemon_device_is_in_use(dev), "stats", stats_json(dev));
}

json_t *daemon_device_json_removed(const struct manager_device *dev, const struct trn_error *why)
{
	return json_pack("{s:s, s:s, s:s?}", "uuid", dev->spec.uuid, "parent", dev->parent->name, "why",
			 why && why->code && why->text[0] ? why->text : NULL);
}

int daemon_get_devices(struct daemon *d, const struct daemon_peer *peer, const char *uuid, json_t **ret, struct trn_error *err)
{
	struct manager_device *dev = NULL;
	json_t *list;
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);

	if (r >= 0 && uuid)
		r = daemon_device_get(d, uuid, &dev, err);
	if (r >= 0 && !uuid && !d->is_adopted) {
		trn_error_set(err, -EAGAIN, "NotReady", "tranched has just started and still looks for devices");
		r = trn_error_hint(err, "try again in a moment");
	}
	if (r < 0)
		return r;
	daemon_looked(d);
	if (dev) {
		*ret = daemon_device_json(dev);
		return *ret ? 0 : daemon_no_memory(err);
	}
	list = json_array();
	base_list_for_each(dev, &d->devices, node)
		if (daemon_device_is_visible(dev))
			json_array_append_new(list, daemon_device_json(dev));
	*ret = json_pack("{s:o}", "devices", list);
	return *ret ? 0 : daemon_no_memory(err);
}
