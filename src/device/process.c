/* SPDX-License-Identifier: MIT */
#include "device/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int device_process_register(struct device_process *p, struct trn_error *err)
{
	int r = sd_event_new(&p->event);

	if (r < 0)
		return trn_error_set(err, r, "NoEventLoop", "cannot make an event loop: %s", strerror(-r));
	p->core = trn_core_create();
	if (!p->core)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	return p->driver->register_parent(p, err);
}

void device_process_unregister(struct device_process *p)
{
	if (p->parent)
		trn_parent_unregister(p->parent, NULL, NULL);
	p->parent = trn_parent_unref(p->parent);
	trn_core_destroy(p->core);
	p->core = NULL;
	if (p->driver->free_config)
		p->driver->free_config(p->config);
	else
		free(p->config);
	p->config = NULL;
	p->event = sd_event_unref(p->event);
}

/* Names of drivers have no "-": what follows the first one is the type's own name. */
static const char *own_name(const struct trn_type *type)
{
	const char *dash = strchr(trn_type_name(type), '-');

	return dash ? dash + 1 : "";
}

struct trn_type *device_process_find_type(const struct device_process *p, struct trn_error *err)
{
	const char *wanted = p->options.type;
	struct trn_type *type;
	char names[160] = "";
	size_t len = 0;

	for (size_t i = 0; (type = trn_type_at(p->parent, i)); i++) {
		if (!wanted || !strcmp(trn_type_name(type), wanted) || !strcmp(own_name(type), wanted))
			return type;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", trn_type_name(type));
	}
	trn_error_set(err, -ENOENT, "NoSuchType", "parent driver %s has no type \"%.60s\"", p->driver->name, wanted ? wanted : "");
	trn_error_hint(err, "its types are %s", names);
	return NULL;
}
