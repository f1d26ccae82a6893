/* SPDX-License-Identifier: MIT */
#include "device/parents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/config.h"
#include "device/process.h"
#include "parents/compute/compute.h"

static const struct device_face compute_faces[] = {
#if DEVICE_HAS_PCI
	{ COMPUTE_TYPE_PCI, &device_service_compute_pci },
#else
	{ COMPUTE_TYPE_PCI, NULL },
#endif
	{ 0 },
};

static const struct device_driver compute = {
	.name = "compute",
	.service = &device_service_compute,
	.faces = compute_faces,
	.register_parent = device_compute_register,
};

#if DEVICE_HAS_PCI

#include "parents/null/null_pci.h"
#include "parents/testdev/testdev.h"

static int register_null(struct device_process *p, struct trn_error *err)
{
	return null_pci_parent_register(p->core, p->driver->name, &p->parent, err);
}

static const struct device_driver null = {
	.name = "null",
	.service = &device_service_pci,
	.register_parent = register_null,
};

static int register_testdev(struct device_process *p, struct trn_error *err)
{
	return testdev_parent_register(p->core, p->driver->name, &p->parent, err);
}

static const struct device_driver testdev = {
	.name = "testdev",
	.service = &device_service_pci,
	.register_parent = register_testdev,
};

#endif

static const struct device_driver *const drivers[] = {
	&compute,
#if DEVICE_HAS_PCI
#if DEVICE_HAS_MTTY
	&device_driver_mtty,
#endif
#if DEVICE_HAS_BOCHS
	&device_driver_bochs,
#endif
	&null,
	&testdev,
#if DEVICE_HAS_INFO
	&device_driver_info,
#endif
#if DEVICE_HAS_ASKED
	&device_driver_asked,
#endif
#endif
};

const struct device_driver *device_driver_at(size_t index)
{
	return index < sizeof(drivers) / sizeof(drivers[0]) ? drivers[index] : NULL;
}

const struct device_driver *device_driver_find(const char *name, struct trn_error *err)
{
	const struct device_driver *d;
	char names[120] = "";
	size_t len = 0;

	for (size_t i = 0; (d = device_driver_at(i)); i++) {
		if (!strcmp(d->name, name))
			return d;
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", d->name);
	}
	trn_error_set(err, -ENOENT, "NoSuchParent", "there is no parent driver \"%.60s\"", name);
	trn_error_hint(err, "the drivers are %s", names);
	return NULL;
}

const struct device_service *device_driver_service(const struct device_driver *driver, const char *type)
{
	const struct device_face *face = driver->faces;

	while (face && face->type && strcmp(face->type, type))
		face++;
	return face && face->type ? face->service : driver->service;
}

int device_driver_check_keys(const struct device_process *p, struct trn_error *err)
{
	for (unsigned int i = 0; i < p->options.nr_keys; i++) {
		const struct device_option *o = &p->options.keys[i];
		const struct device_key *key = p->driver->keys;

		while (key && key->name && strcmp(key->name, o->key))
			key++;
		if (!key || !key->name) {
			trn_error_set(err, -EINVAL, "BadOption", "parent driver %s has no option \"%.60s\"", p->driver->name, o->key);
			return trn_error_hint(err, "tranche-device --list shows the options of each");
		}
	}
	return 0;
}

const char *device_key_value(const struct device_process *p, const char *name)
{
	const char *value = NULL;

	for (unsigned int i = 0; i < p->options.nr_keys; i++)
		if (!strcmp(p->options.keys[i].key, name))
			value = p->options.keys[i].value;
	return value;
}
