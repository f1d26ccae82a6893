/* SPDX-License-Identifier: MIT */
/* tranche-device --list --json. */
#include <inttypes.h>
#include <stdio.h>

#include "base/quote.h"
#include "device/process.h"

static void print_string(const char *name, const char *value)
{
	printf("\"%s\":", name);
	base_quote_json(stdout, value ? value : "");
}

static void print_resources(const char *name, const struct trn_resources *r)
{
	printf("\"%s\":{", name);
	for (int i = 0; i < TRN_NR_RESOURCES; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", trn_resource_name((enum trn_resource)i), r->amount[i]);
	putchar('}');
}

static void print_type(const struct trn_type *type)
{
	struct trn_resources cost;
	uint32_t adjustable = trn_type_adjustable(type);
	const char *comma = "";

	trn_type_get_cost(type, &cost);
	putchar('{');
	print_string("name", trn_type_name(type));
	putchar(',');
	print_string("pretty_name", trn_type_pretty_name(type));
	putchar(',');
	print_string("description", trn_type_description(type));
	putchar(',');
	print_string("device_api", trn_type_device_api(type));
	putchar(',');
	print_resources("cost", &cost);
	printf(",\"adjustable\":[");
	for (int i = 0; i < TRN_NR_RESOURCES; i++) {
		if (!(adjustable & (1u << i)))
			continue;
		printf("%s\"%s\"", comma, trn_resource_name((enum trn_resource)i));
		comma = ",";
	}
	printf("]}");
}

static void print_keys(const struct device_key *key)
{
	const char *comma = "";

	printf("\"keys\":[");
	for (; key && key->name; key++) {
		printf("%s{", comma);
		print_string("name", key->name);
		putchar(',');
		print_string("values", key->values);
		putchar(',');
		print_string("help", key->help);
		putchar('}');
		comma = ",";
	}
	putchar(']');
}

static int print_driver(const struct device_driver *driver, struct trn_error *err)
{
	struct device_process p = { .driver = driver, .options = { .parent = driver->name } };
	int r = device_process_register(&p, err);
	struct trn_resources capacity;
	struct trn_type *type;

	if (r >= 0) {
		trn_parent_get_capacity(p.parent, &capacity, NULL);
		putchar('{');
		print_string("name", driver->name);
		putchar(',');
		print_resources("capacity", &capacity);
		printf(",\"types\":[");
		for (size_t i = 0; (type = device_process_type_at(&p, i)); i++) {
			if (i)
				putchar(',');
			print_type(type);
		}
		printf("],");
		print_keys(driver->keys);
		putchar('}');
	}
	device_process_unregister(&p);
	return r;
}

int device_list_json(struct trn_error *err)
{
	const struct device_driver *driver;
	int r = 0;

	printf("{\"drivers\":[");
	for (size_t i = 0; r >= 0 && (driver = device_driver_at(i)); i++) {
		if (i)
			putchar(',');
		r = print_driver(driver, err);
	}
	puts("]}");
	return r;
}
