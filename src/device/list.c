/* SPDX-License-Identifier: MIT */
/* tranche-device --list: asks each driver itself, so that nothing is written down twice. */
#include <stdio.h>

#include "device/process.h"

static int list_types(const struct device_driver *driver, struct trn_error *err)
{
	struct device_process p = { .driver = driver, .options = { .parent = driver->name } };
	struct trn_type *type;
	int r;

	r = device_process_register(&p, err);
	for (size_t i = 0; r >= 0 && (type = device_process_type_at(&p, i)); i++)
		printf("%-10s %-20s %s\n", i ? "" : driver->name, trn_type_name(type), trn_type_pretty_name(type));
	device_process_unregister(&p);
	return r;
}

static void list_keys(const struct device_driver *driver)
{
	const struct device_key *key = driver->keys;

	if (key)
		printf("\nOptions of %s (-o KEY=VALUE):\n", driver->name);
	for (; key && key->name; key++)
		printf("  %s=%s\n      %s\n", key->name, key->values, key->help);
}

int device_list(struct trn_error *err)
{
	const struct device_driver *driver;
	int r = 0;

	printf("%-10s %-20s %s\n", "PARENT", "TYPE", "WHAT IT IS");
	for (size_t i = 0; r >= 0 && (driver = device_driver_at(i)); i++)
		r = list_types(driver, err);
	for (size_t i = 0; r >= 0 && (driver = device_driver_at(i)); i++)
		list_keys(driver);
	return r;
}
