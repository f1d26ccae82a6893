/* SPDX-License-Identifier: MIT */
/*
 * Which parents there shall be: one for each OpenCL device of the host, and those of the configuration.  Short-lived processes look at the
 * host (process.h), at start and on SIGHUP; what they say is compared with what is there.  A parent that is not among them any
 * more goes when it has no device; else it stays and is named as a problem.  A look that fails takes nobody's parent.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

#define MIB (1ull << 20)

/* An eighth of it is for the host itself, in whole units. */
uint64_t daemon_shared_memory(uint64_t host_memory)
{
	uint64_t memory = host_memory - host_memory / 8;

	return memory > 64 * MIB ? memory / (64 * MIB) * (64 * MIB) : memory;
}

const struct daemon_host_device *daemon_host_at(struct daemon *d, uint32_t index)
{
	for (size_t i = 0; i < d->nr_hosts; i++)
		if (d->hosts[i].index == index)
			return &d->hosts[i];
	return NULL;
}

const struct daemon_driver *daemon_driver_find(struct daemon *d, const char *name)
{
	for (size_t i = 0; i < d->nr_drivers; i++)
		if (!strcmp(d->drivers[i].name, name))
			return &d->drivers[i];
	return NULL;
}

static void free_drivers(struct daemon_driver *drivers, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(drivers[i].types);
		json_decref(drivers[i].keys);
	}
	free(drivers);
}

void daemon_find_free(struct daemon *d)
{
	free(d->hosts);
	free_drivers(d->drivers, d->nr_drivers);
}

static int copy_drivers(const struct daemon_driver *from, size_t nr, struct daemon_driver **ret)
{
	struct daemon_driver *to = calloc(nr ? nr : 1, sizeof(*to));

	for (size_t i = 0; to && i < nr; i++) {
		to[i] = from[i];
		json_incref(to[i].keys);
		to[i].types = calloc(from[i].nr_types ? from[i].nr_types : 1, sizeof(*to[i].types));
		if (!to[i].types) {
			free_drivers(to, i + 1);
			return -ENOMEM;
		}
		if (from[i].nr_types)
			memcpy(to[i].types, from[i].types, from[i].nr_types * sizeof(*to[i].types));
	}
	*ret = to;
	return to ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------ what there shall be */

static const struct daemon_parent_config *config_named(struct daemon *d, const char *name)
{
	for (size_t i = 0; i < d->config->nr_parents; i++)
		if (!strcmp(d->config->parents[i].name, name))
			return &d->config->parents[i];
	return NULL;
}

/* Some other parent of the configuration shares out this host device. */
static bool is_configured(struct daemon *d, uint32_t index)
{
	for (size_t i = 0; i < d->config->nr_parents; i++) {
		const struct daemon_parent_config *c = &d->config->parents[i];

		if (!strcmp(c->driver, "compute") && c->has_host_device && c->host_device == index)
			return true;
	}
	return false;
}

static void want_parent(struct daemon *d, const struct manager_parent_params *params)
{
	struct manager_parent *p = daemon_parent_find(d, params->name);
	struct trn_error err = { 0 };
	char key[80];

	snprintf(key, sizeof(key), "parent:%.63s", params->name);
	daemon_problem_over(d, "parent", params->name);
	if (p) {
		struct trnc_parent_schedule was = p->schedule;

		p->is_seen = true;
		if (params->host) {
			p->has_host = true;
			p->host = *params->host;
		}
		daemon_schedule_init(p);
		if (memcmp(&was, &p->schedule, sizeof(was)))
			daemon_schedule_push(p);
		return;
	}
	if (daemon_parent_add(d, params, NULL, &err) < 0)
		daemon_problem_set(d, key, &err, d->config->file);
}

static bool has_folders(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool has = false;

	while (dir && !has && (entry = readdir(dir)))
		has = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return has;
}

/*
 * Devices that were started before us stand on what was shared out then: as long as there are any, less than that is not
 * taken for it, or they would have no place.
 */
static uint64_t memory_of(struct daemon *d, const char *name, uint64_t wanted)
{
	json_t *kept = daemon_kept_load(d, name);
	uint64_t was = (uint64_t)json_integer_value(json_object_get(kept, "memory"));
	struct trn_error err = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/devices", d->config->runtime_dir);
	if (!d->is_adopted && was > wanted && has_folders(path))
		wanted = was;
	json_object_set_new(kept, "memory", json_integer((json_int_t)wanted));
	if (was != wanted && daemon_kept_save(d, name, kept, &err) < 0)
		daemon_problem_set(d, "kept", &err, NULL);
	json_decref(kept);
	return wanted;
}

/* host: NULL: not known */
static void want_compute(struct daemon *d, const char *name, const struct daemon_parent_config *c, uint32_t index)
{
	const struct daemon_host_device *host = daemon_host_at(d, index);
	struct manager_parent_params params = { .name = name, .driver = "compute", .host = host, .host_device = index };

	params.memory = c && c->memory ? c->memory : host ? daemon_shared_memory(host->memory) : 0;
	if (!params.memory && !daemon_parent_find(d, name)) {
		struct trn_error err = { 0 };
		char key[80];

		trn_error_set(&err, -ENODEV, "NoHostDevice", "parent %s: the host has no OpenCL device %u", name, (unsigned int)index);
		trn_error_hint(&err, "tranche-executor --devices lists them; install a driver, or mend host-device");
		snprintf(key, sizeof(key), "parent:%.63s", name);
		daemon_problem_set(d, key, &err, d->config->file);
		return;
	}
	if (!daemon_parent_find(d, name))
		params.memory = memory_of(d, name, params.memory);
	want_parent(d, &params);
}

static void want_found(struct daemon *d)
{
	for (size_t i = 0; i < d->nr_hosts; i++) {
		const struct daemon_host_device *h = &d->hosts[i];
		const struct daemon_parent_config *c;
		unsigned int number = 0;
		char name[40];

		for (size_t k = 0; k < i; k++)
			number += !strcmp(d->hosts[k].kind, h->kind);
		snprintf(name, sizeof(name), "%s%u", h->kind, number);
		c = config_named(d, name);
		if (is_configured(d, h->index) || (c && (strcmp(c->driver, "compute") || c->has_host_device)))
			continue;
		want_compute(d, name, c, h->index);
	}
}

static void want_configured(struct daemon *d)
{
	for (size_t i = 0; i < d->config->nr_parents; i++) {
		const struct daemon_parent_config *c = &d->config->parents[i];
		struct manager_parent *p = daemon_parent_find(d, c->name);

		if (p && p->is_seen)
			continue;
		if (!strcmp(c->driver, "compute"))
			want_compute(d, c->name, c, c->has_host_device ? c->host_device : 0);
		else
			want_parent(d, &(struct manager_parent_params){ .name = c->name, .driver = c->driver });
	}
}

static void drop_vanished(struct daemon *d)
{
	struct manager_parent *p, *next;

	base_list_for_each_safe(p, next, &d->parents, node) {
		struct trn_error err = { 0 };
		char key[80];

		if (p->is_seen || p->leave)
			continue;
		if (!daemon_parent_nr_devices(p) && !p->nr_inside) {
			daemon_parent_drop(p, true);
			continue;
		}
		trn_error_set(&err, -ENODEV, "ParentVanished", "parent %s is not there any more, and stays while it has devices", p->name);
		trn_error_hint(&err, "stop its devices, then reload; or bring it back");
		snprintf(key, sizeof(key), "parent:%.63s", p->name);
		daemon_problem_set(d, key, &err, NULL);
	}
}

static void reconcile(struct daemon *d)
{
	struct manager_parent *p;

	base_list_for_each(p, &d->parents, node)
		p->is_seen = p->is_posted || (p->is_compute && !d->has_hosts);
	if (d->config->finds_opencl)
		want_found(d);
	want_configured(d);
	/* At start those that running devices stand on are not there yet. */
	if (d->is_adopted) {
		drop_vanished(d);
		daemon_autostart(d);
	}
	d->is_looking = false;
	d->knows_parents = true;
	if (d->look_again)
		daemon_look_for_parents(d);
	else
		daemon_step(d);
}

/* ------------------------------------------------------------ looking */

static void probe_over(struct daemon *d)
{
	if (--d->nr_probes == 0)
		reconcile(d);
}

static void hosts_known(void *data, const struct daemon_host_device *devices, size_t nr, const struct trn_error *err)
{
	struct daemon *d = data;

	d->has_hosts = !err;
	if (err) {
		daemon_problem_set(d, "probe:opencl", err, NULL);
	} else {
		struct daemon_host_device *copy = reallocarray(NULL, nr ? nr : 1, sizeof(*copy));

		daemon_problem_clear(d, "probe:opencl");
		if (copy) {
			if (nr)
				memcpy(copy, devices, nr * sizeof(*copy));
			free(d->hosts);
			d->hosts = copy;
			d->nr_hosts = nr;
		}
	}
	probe_over(d);
}

static void drivers_known(void *data, const struct daemon_driver *drivers, size_t nr, const struct trn_error *err)
{
	struct daemon *d = data;
	struct daemon_driver *copy;

	if (err) {
		daemon_problem_set(d, "probe:drivers", err, NULL);
	} else if (copy_drivers(drivers, nr, &copy) >= 0) {
		daemon_problem_clear(d, "probe:drivers");
		free_drivers(d->drivers, d->nr_drivers);
		d->drivers = copy;
		d->nr_drivers = nr;
	}
	probe_over(d);
}

static bool wants_opencl(const struct daemon *d)
{
	bool wants = d->config->finds_opencl;

	for (size_t i = 0; i < d->config->nr_parents; i++)
		wants |= !strcmp(d->config->parents[i].driver, "compute");
	return wants;
}

static void cannot_probe(struct daemon *d, const char *key, const struct trn_error *err)
{
	daemon_problem_set(d, key, err, NULL);
	d->nr_probes--;
}

void daemon_look_for_parents(struct daemon *d)
{
	struct trn_error err = { 0 };

	if (d->is_looking) {
		d->look_again = true;
		return;
	}
	d->is_looking = true;
	d->look_again = false;
	d->nr_probes = 3; /* one is our own, so that nothing is over before both were begun */
	if (!wants_opencl(d)) {
		d->nr_probes--;
		d->has_hosts = true;
		d->nr_hosts = 0;
	} else if (daemon_probe_opencl(d->processes, hosts_known, d, &err) < 0) {
		d->has_hosts = false;
		cannot_probe(d, "probe:opencl", &err);
	}
	err = (struct trn_error){ 0 };
	if (daemon_probe_drivers(d->processes, drivers_known, d, &err) < 0)
		cannot_probe(d, "probe:drivers", &err);
	probe_over(d);
}
