/* SPDX-License-Identifier: MIT */
/*
 * Definitions with "start": "auto" are started once a boot, when their parent is there for the first time: a restart of tranched
 * does not start again what an operator has stopped.  A few at a time, so that none waits for too long.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

#define AT_A_TIME 8u

struct autostart {
	struct base_list node;
	char uuid[TRN_UUID_SIZE];
};

static void begin_some(struct daemon *d);

static void started(struct daemon *d, struct manager_device *dev, const struct trn_error *err)
{
	d->nr_autostarting--;
	if (err) {
		struct trn_error why = *err;

		trn_error_prefix(&why, "not started by itself: ");
		base_log_error(BASE_LOG_WARNING, &why);
	}
	begin_some(d);
	daemon_step(d);
}

static void begin_one(struct daemon *d, const char *uuid)
{
	struct manager_definition *def = daemon_definition_find(d, uuid);
	struct manager_spec spec;

	if (!def || daemon_device_find(d, uuid) || daemon_spec_copy(&spec, &def->spec) < 0)
		return;
	d->nr_autostarting++;
	daemon_device_begin(d, &spec, NULL, started);
}

static void begin_some(struct daemon *d)
{
	while (d->nr_autostarting < AT_A_TIME && !base_list_is_empty(&d->autostarts)) {
		struct autostart *a = base_container_of(d->autostarts.next, struct autostart, node);

		base_list_remove(&a->node);
		begin_one(d, a->uuid);
		free(a);
	}
}

static bool is_due(struct daemon *d, const struct manager_parent *p)
{
	json_t *kept = daemon_kept_load(d, p->name);
	bool is = !json_is_true(json_object_get(kept, "autostarted"));
	struct trn_error err = { 0 };

	json_object_set_new(kept, "autostarted", json_true());
	if (is && daemon_kept_save(d, p->name, kept, &err) < 0)
		daemon_problem_set(d, "kept", &err, NULL);
	json_decref(kept);
	return is;
}

static void queue_those_of(struct daemon *d, const struct manager_parent *p)
{
	for (size_t i = 0; i < d->nr_definitions; i++) {
		const struct manager_spec *spec = &d->definitions[i]->spec;
		struct autostart *a;

		if (!spec->is_auto || strcmp(spec->parent, p->name))
			continue;
		a = calloc(1, sizeof(*a));
		if (!a)
			return;
		memcpy(a->uuid, spec->uuid, sizeof(a->uuid));
		base_list_append(&d->autostarts, &a->node);
	}
}

void daemon_autostart(struct daemon *d)
{
	struct manager_parent *p;

	if (!d->is_adopted)
		return;
	base_list_for_each(p, &d->parents, node)
		if (is_due(d, p))
			queue_those_of(d, p);
	begin_some(d);
}

bool daemon_autostart_is_over(const struct daemon *d)
{
	return !d->nr_autostarting && base_list_is_empty(&d->autostarts);
}

void daemon_autostart_free(struct daemon *d)
{
	struct autostart *a, *next;

	base_list_for_each_safe(a, next, &d->autostarts, node)
		free(a);
	base_list_init(&d->autostarts);
}
