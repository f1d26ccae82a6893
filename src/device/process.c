/* SPDX-License-Identifier: MIT */
#include "device/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static ssize_t read_line(const char *path, char *to, size_t cap)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, to, cap - 1) : -1;

	to[len > 0 ? len : 0] = '\0';
	to[strcspn(to, "\n")] = '\0';
	return len;
}

void device_process_identify(struct device_process *p)
{
	struct timespec now = { 0 };
	char text[1024], *at;

	clock_gettime(CLOCK_BOOTTIME, &now);
	p->started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	read_line("/proc/sys/kernel/random/boot_id", p->boot_id, sizeof(p->boot_id));
	read_line("/proc/self/stat", text, sizeof(text));
	/* The second field is a name, which may hold anything; the third one follows its last bracket. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	p->start_ticks = at ? strtoull(at, NULL, 10) : 0;
}

void device_process_get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	struct trn_resources taken;
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	trn_device_get_resources(p->dev, &taken);
	*ret = (struct trnc_control_stats){
		.uptime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - p->started_ns,
		.sessions_now = trn_device_nr_uses(p->dev),
		.quota = taken.amount[TRN_RESOURCE_MEMORY],
	};
	p->service->get_stats(p, ret);
}

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

struct trn_type *device_process_type_at(const struct device_process *p, size_t index)
{
	struct trn_type *type;

	for (size_t i = 0; (type = trn_type_at(p->parent, i)); i++)
		if (device_driver_service(p->driver, trn_type_name(type)) && !index--)
			return type;
	return NULL;
}

/* Names of drivers have no "-": what follows the first one is the type's own name. */
static const char *own_name(const char *type)
{
	const char *dash = strchr(type, '-');

	return dash ? dash + 1 : "";
}

static bool is_named(const char *type, const char *wanted)
{
	return !strcmp(type, wanted) || !strcmp(own_name(type), wanted);
}

int device_process_choose_service(struct device_process *p, struct trn_error *err)
{
	const struct device_face *face = p->driver->faces;

	p->service = p->driver->service;
	for (; p->options.type && face && face->type; face++)
		if (is_named(face->type, p->options.type))
			p->service = face->service;
	if (p->service)
		return 0;
	trn_error_set(err, -ENOENT, "NotBuilt", "this tranche-device was built without what serves devices of type %.60s", p->options.type);
	return trn_error_hint(err, "build it where the library jansson is");
}

struct trn_type *device_process_find_type(const struct device_process *p, struct trn_error *err)
{
	const char *wanted = p->options.type;
	struct trn_type *type;
	char names[160] = "";
	size_t len = 0;

	for (size_t i = 0; (type = device_process_type_at(p, i)); i++) {
		if (!wanted || is_named(trn_type_name(type), wanted))
			return type;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", trn_type_name(type));
	}
	trn_error_set(err, -ENOENT, "NoSuchType", "parent driver %s has no type \"%.60s\"", p->driver->name, wanted ? wanted : "");
	trn_error_hint(err, "its types are %s", names);
	return NULL;
}
