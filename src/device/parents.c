/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "device/parents.h"

static const struct device_parent parents[] = {
	{ "compute", COMPUTE_TYPE, compute_parent_register },
};

const struct device_parent *device_parent_find(const char *name, struct trn_error *err)
{
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++)
		if (!strcmp(parents[i].name, name))
			return &parents[i];
	trn_error_set(err, -ENOENT, "NoSuchParent", "there is no parent driver \"%.60s\" with a socket of its own", name);
	trn_error_hint(err, "use --parent compute");
	return NULL;
}
